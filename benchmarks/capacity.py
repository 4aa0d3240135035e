"""What a million events cost at each stage, how that grows, and what it comes to at a volume a day.

    python benchmarks/capacity.py [--days 10e6 1e9 100e9] [--assume peak=2 --assume stored_days=90]
        [--stored 200000 1000000 4000000] [--save costs.json]
    python benchmarks/capacity.py --measured costs.json --days 3e8  # only works out

Each stage is measured at several sizes, by the processor's clock, so that a busy machine changes
little; the work is that of the other benchmarks. A million events or so come through to the
published tables at once, then micro-batches of two sizes follow; users ask the API; a night trains.
Beside a stage stands a bare engine's way of the same, where there is one, from the same run.

The tables are Markdown, as docs/capacity.md has them: costs, bytes, cores, disks. The first two
were measured. The others are arithmetic over them (capacity_sizing.py) and over assumptions about
the product, which are printed; --assume changes them. `a to b` cores: at the cost of the largest
size that was measured, and if that cost went on growing as it did between the two largest.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from itertools import groupby
from pathlib import Path
from typing import Final

import capacity_stages
from capacity_sizing import (
    SECONDS_A_DAY,
    Assumptions,
    Cost,
    cores,
    dagster_cores,
    demands,
    formula,
    growth,
    sizes,
)
from machine import say_what_machine

LAYERS: Final = ("raw objects", "clean Parquet", "warehouse file", "published Parquet")
LISTS_FILE: Final = "lists file"
WRITER: Final = ("raw to clean", "taking in", "dbt", "publishing")
_LONG: Final = 0.01
_UNITS: Final = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))

Costs = dict[str, list[Cost]]


def main() -> None:
    """Measure, or read what was measured; print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--days", type=float, nargs="+", default=[10e6, 1e9, 100e9], metavar="N")
    parser.add_argument("--assume", action="append", default=[], metavar="NAME=NUMBER")
    parser.add_argument("--stored", type=int, nargs="+", default=[200_000, 1_000_000, 4_000_000])
    parser.add_argument("--scores", type=int, nargs="+", default=[100_000, 400_000])
    parser.add_argument("--users", type=int, nargs="+", default=[5_000, 20_000, 50_000])
    parser.add_argument("--connections", type=int, nargs="+", default=[64, 384])
    parser.add_argument("--save", type=Path, help="where costs are kept while they are measured")
    parser.add_argument("--measured", type=Path, nargs="+", help="costs that were kept")
    chosen = parser.parse_args()
    given = assumed(chosen.assume)
    if chosen.measured:
        found = [Cost(**each) for path in chosen.measured for each in json.loads(path.read_text())]
    else:
        say_what_machine()
        found = []
        began = time.monotonic()
        for cost in measured(chosen):
            found.append(cost)
            print(f"{time.monotonic() - began:6.0f} s  {cost.stage}", file=sys.stderr)
            if chosen.save:
                chosen.save.write_text(json.dumps([asdict(each) for each in found]))
    costs = by_stage(found)
    print_costs({stage: of for stage, of in costs.items() if stage not in (*LAYERS, LISTS_FILE)})
    print_bytes({stage: of for stage, of in costs.items() if stage in (*LAYERS, LISTS_FILE)})
    print_cores(costs, chosen.days, given)
    print_disks(costs, chosen.days, given)
    print("Assumed: " + ", ".join(formula(given)) + ".")


def assumed(changes: Sequence[str]) -> Assumptions:
    """Return the assumptions with what the command line says otherwise."""
    given = Assumptions()
    for change in changes:
        name, _, number = change.partition("=")
        try:
            given = replace(given, **{name: float(number)})
        except (TypeError, ValueError):
            names = ", ".join(asdict(given))
            raise SystemExit(f"--assume {change}: NAME=NUMBER, and a name of {names}") from None
    return given


def measured(chosen: argparse.Namespace) -> Iterator[Cost]:
    """Give what each stage takes at each size."""
    yield from capacity_stages.collecting(chosen.connections)
    for step, of in (("pipeline", chosen.stored), ("learning", chosen.scores)):
        for size in of:
            yield from capacity_stages.in_a_process(step, size)
    yield from capacity_stages.listing(chosen.users)
    yield from capacity_stages.flag(chosen.users)
    for size in chosen.stored:
        yield from capacity_stages.in_a_process("dashboard", size)


def by_stage(found: Sequence[Cost]) -> Costs:
    """Return the costs of each stage by size, in the order in which events go through them."""
    places = {stage: place for place, stage in enumerate([*demands(1, Assumptions()), *LAYERS])}
    ordered = sorted(
        found, key=lambda cost: (places.get(cost.stage, len(places)), cost.stage, cost.size)
    )
    return {stage: list(of) for stage, of in groupby(ordered, key=lambda cost: cost.stage)}


def print_costs(costs: Costs) -> None:
    """Print what was measured of the processor and of memory."""
    print("| stage | of a million | seconds at each size | growth | of the peer | memory |")
    print("|---|---|---|---|---|---|")
    for stage, of in costs.items():
        last = of[-1]
        at = "; ".join(f"{short(each.size)}: {seconds(each.each)}" for each in of)
        peer = (
            "" if last.peer is None else f"{last.each / last.peer:.2g} times {seconds(last.peer)}"
        )
        memory = "" if last.memory is None else f"{last.memory / 2**20:,.0f} MiB"
        print(
            f"| {stage} | {last.unit} | by {last.grows_with}: {at} | {exponent(of)} | {peer} "
            f"| {memory} |"
        )
    print()


def print_bytes(costs: Costs) -> None:
    """Print what was measured of the disk."""
    print("| stored | bytes of each, by size | growth |\n|---|---|---|")
    for stage, of in costs.items():
        at = "; ".join(f"{short(each.size)}: {each.each:,.0f}" for each in of)
        print(f"| {stage} | {of[-1].unit}: {at} | {exponent(of)} |")
    print()


def print_cores(costs: Costs, days: Sequence[float], given: Assumptions) -> None:
    """Print how many cores each stage needs in its busiest hour."""
    print("| cores | " + " | ".join(f"{short(events)} a day" for events in days) + " |")
    print("|---" * (len(days) + 1) + "|")
    low, high = [0.0] * len(days), [0.0] * len(days)
    for stage, of in costs.items():
        cells = [cores(of, events, given) for events in days]
        if None in cells:
            continue
        print(f"| {stage} | " + " | ".join(span(*cell) for cell in cells if cell) + " |")
        if stage != "collecting, one event a request":
            for place, cell in enumerate(filter(None, cells)):
                low[place] += cell[0]
                high[place] += cell[1]
    runs = dagster_cores(given)
    print("| Dagster's runs of micro-batches |" + f" {runs:.2g} |" * len(days))
    total = [span(a + runs, b + runs) for a, b in zip(low, high, strict=True)]
    print("| **together, with batches of 100 collected** | " + " | ".join(total) + " |\n")


def print_disks(costs: Costs, days: Sequence[float], given: Assumptions) -> None:
    """Print rates, users, disks, and how busy the one writer is."""
    print("| | " + " | ".join(f"{short(events)} a day" for events in days) + " |")
    print("|---" * (len(days) + 1) + "|")

    def row(title: str, values: Sequence[str]) -> None:
        print(f"| {title} | " + " | ".join(values) + " |")

    def of_all(title: str, value: str, factor: float) -> None:
        row(title, [short(events * factor) + value for events in days])

    of_all("events a second, average", "", 1 / SECONDS_A_DAY)
    of_all("events a second, busiest hour", "", given.peak / SECONDS_A_DAY)
    row("users of a month", [short(sizes(events, given)["users"]) for events in days])
    row("stored events", [short(sizes(events, given)["stored events"]) for events in days])
    for layer in LAYERS:
        if layer in costs:
            each = costs[layer][-1].each
            title = f"{layer}, a day; {given.stored_days:g} days"
            at = [(events * each, events * each * given.stored_days) for events in days]
            row(title, [f"{short(a)}B; {short(b)}B" for a, b in at])
    if LISTS_FILE in costs:
        each = costs[LISTS_FILE][-1].each
        row(LISTS_FILE, [short(sizes(events, given)["users"] * each) + "B" for events in days])
    writer = sum(costs[stage][-1].each for stage in WRITER if stage in costs)
    busy = [events * writer / SECONDS_A_DAY for events in days]
    row("processor seconds a second of the one writer", [f"{each:.2g}" for each in busy])
    print()


def exponent(of: Sequence[Cost]) -> str:
    """Return how the cost per unit grows, and what that makes of ten times the size."""
    if len(of) == 1:
        return ""
    found = growth(of)
    return f"{found:+.2f} ({10**found:.2f} a tenfold)"


def seconds(each: float) -> str:
    """Return the seconds of a million; of one, where one takes long."""
    return f"{each:.2f} each" if each >= _LONG else f"{each * 1e6:,.3g}"


def span(low: float, high: float) -> str:
    """Return two numbers, or one where they are nearly alike."""
    a, b = number(low), number(high)
    return a if a == b else f"{a} to {b}"


def number(value: float) -> str:
    """Return two digits of a number, without an exponent."""
    if value >= 100:  # noqa: PLR2004
        return f"{float(f'{value:.2g}'):,.0f}"
    return f"{value:.2g}" if value >= _LONG else "< 0.01"


def short(value: float) -> str:
    """Return a number with a letter for its thousands."""
    for size, letter in _UNITS:
        if value >= size:
            return f"{value / size:.3g} {letter}"
    return f"{value:.3g}"


if __name__ == "__main__":
    main()
