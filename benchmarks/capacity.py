"""What a million events cost at each stage, how that grows, and what it comes to at a volume a day.

    python benchmarks/capacity.py [--days 10e6 1e9 100e9] [--assume peak=2 --assume stored_days=90]
        [--stored 125000 500000 2000000] [--save costs.json] [--page docs/capacity.md]
    python benchmarks/capacity.py --measured costs.json --days 3e8      # works out only

Each stage is measured at several sizes, by the processor's clock, so that a busy machine changes
little; the work is that of the other benchmarks. A million events or so come through to the
published tables at once, then micro-batches of two sizes follow; users ask the API; a night trains.
Beside a stage stands a bare engine's way of the same, where there is one, from the same run.

The tables are Markdown, as docs/capacity.md has them, and --page puts them there. Costs and bytes
were measured. Cores and disks are arithmetic over them (capacity_sizing.py) and over assumptions
about the product, which are printed; --assume changes them. `a to b` cores: at the cost of the
largest size that was measured, and if that went on growing as between the two largest.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import redirect_stdout
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
# Not in the sum: the dearer way to collect, and reads that the published files are not made for.
APART: Final = ("collecting, one event a request", "reading a user's features")
BEGIN: Final = "<!-- capacity.py begins -->"
END: Final = "<!-- capacity.py ends -->"
_LONG: Final = 0.01
_HUNDRED: Final = 100
_NUMBERS: Final = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
_SIZES: Final = ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))

Costs = dict[str, list[Cost]]


def main() -> None:
    """Measure, or read what was measured; print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--days", type=float, nargs="+", default=[10e6, 1e9, 100e9], metavar="N")
    parser.add_argument("--assume", action="append", default=[], metavar="NAME=NUMBER")
    parser.add_argument("--stored", type=int, nargs="+", default=[125_000, 500_000, 2_000_000])
    parser.add_argument("--scores", type=int, nargs="+", default=[50_000, 200_000])
    parser.add_argument("--users", type=int, nargs="+", default=[5_000, 50_000])
    parser.add_argument("--connections", type=int, nargs="+", default=[64, 384])
    parser.add_argument("--save", type=Path, help="keeps costs while they are measured")
    parser.add_argument("--measured", type=Path, nargs="+", help="costs that were kept")
    parser.add_argument("--page", type=Path, help="a page with a place for the tables")
    chosen = parser.parse_args()
    given = assumed(chosen.assume)
    machine, found = kept(chosen.measured) if chosen.measured else measured(chosen)
    costs = by_stage(found)
    on_disk = {stage: of for stage, of in costs.items() if stage in {*LAYERS, LISTS_FILE}}
    spent = {stage: of for stage, of in costs.items() if stage not in on_disk}
    tables = (
        [machine.strip()],
        table_of_costs(spent),
        table_of_bytes(on_disk),
        table_of_cores(costs, chosen.days, given),
        table_of_disks(costs, chosen.days, given),
        ["Assumed: " + ", ".join(formula(given)) + "."],
    )
    text = "\n\n".join("\n".join(table) for table in tables)
    print(text)
    if chosen.page:
        put(chosen.page, text)


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


def measured(chosen: argparse.Namespace) -> tuple[str, list[Cost]]:
    """Return what machine it was, and what each stage takes; say on stderr how far it has come."""
    with redirect_stdout(io.StringIO()) as said:
        say_what_machine()
    found: list[Cost] = []
    began = time.monotonic()
    for cost in stages(chosen):
        found.append(cost)
        print(f"{time.monotonic() - began:6.0f} s  {cost.stage}", file=sys.stderr)
        if chosen.save:
            costs = [asdict(each) for each in found]
            chosen.save.write_text(json.dumps({"machine": said.getvalue(), "costs": costs}))
    return said.getvalue(), found


def stages(chosen: argparse.Namespace) -> Iterator[Cost]:
    """Give what each stage takes at each size."""
    yield from capacity_stages.collecting(chosen.connections)
    for step, of in (("pipeline", chosen.stored), ("learning", chosen.scores)):
        for size in of:
            yield from capacity_stages.in_a_process(step, size)
    yield from capacity_stages.listing(chosen.users)
    yield from capacity_stages.flag(chosen.users)
    for size in chosen.stored:
        yield from capacity_stages.in_a_process("dashboard", size)


def kept(paths: Iterable[Path]) -> tuple[str, list[Cost]]:
    """Return what `--save` has kept, of one run or of several parts."""
    read = [json.loads(path.read_text()) for path in paths]
    machines = dict.fromkeys(each["machine"].strip() for each in read)
    return "\n".join(machines), [Cost(**cost) for each in read for cost in each["costs"]]


def put(page: Path, text: str) -> None:
    """Replace what stands between the marks of a page."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{page} has no place for the tables: the lines {BEGIN} and {END}.")
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")


def by_stage(found: Sequence[Cost]) -> Costs:
    """Return the costs of each stage by size, in the order in which events go through them."""
    places = {stage: place for place, stage in enumerate([*demands(1, Assumptions()), *LAYERS])}
    ordered = sorted(
        found, key=lambda cost: (places.get(cost.stage, len(places)), cost.stage, cost.size)
    )
    return {stage: list(of) for stage, of in groupby(ordered, key=lambda cost: cost.stage)}


def table_of_costs(costs: Costs) -> list[str]:
    """Return what was measured of the processor and of memory."""
    lines = [
        "| stage | seconds of the processor for a million | by | growth | peer | peak of memory |",
        "|---|---|---|---|---|---|",
    ]
    for stage, of in costs.items():
        last = of[-1]
        at = "; ".join(f"{short(each.size)}: {seconds(each.each)}" for each in of)
        peer = ""
        if last.peer is not None:
            peer = f"{seconds(last.peer)}, {last.each / last.peer:.2g}-fold"
        memory = "" if last.memory is None else f"{last.memory / 2**20:,.0f} MiB"
        lines.append(
            f"| {stage} | {last.unit}, at {at} | {last.grows_with} | {exponent(of)} | {peer} "
            f"| {memory} |"
        )
    return lines


def table_of_bytes(costs: Costs) -> list[str]:
    """Return what was measured of the disk."""
    lines = ["| stored | bytes of each, by how many there are | growth |", "|---|---|---|"]
    for stage, of in costs.items():
        at = "; ".join(f"{short(each.size)}: {each.each:,.0f}" for each in of)
        lines.append(f"| {stage} | {of[-1].unit}, at {at} | {exponent(of)} |")
    return lines


def table_of_cores(costs: Costs, days: Sequence[float], given: Assumptions) -> list[str]:
    """Return how many cores each stage needs in its busiest hour."""
    lines = head("cores", days)
    low, high = [0.0] * len(days), [0.0] * len(days)
    for stage, of in costs.items():
        cells = [cell for events in days if (cell := cores(of, events, given)) is not None]
        if not cells:
            continue
        lines.append(row(stage, [span(*cell) for cell in cells]))
        if stage not in APART:
            low = [sum(pair) for pair in zip(low, (cell[0] for cell in cells), strict=True)]
            high = [sum(pair) for pair in zip(high, (cell[1] for cell in cells), strict=True)]
    runs = dagster_cores(given)
    lines.append(row("Dagster's runs of micro-batches", [number(runs)] * len(days)))
    total = [span(a + runs, b + runs) for a, b in zip(low, high, strict=True)]
    return [*lines, row("**together**, in batches of 100, without features", total)]


def table_of_disks(costs: Costs, days: Sequence[float], given: Assumptions) -> list[str]:
    """Return rates, users, disks, and how busy the one writer is."""
    lines = head("", days)
    lines.append(row("events a second", [short(events / SECONDS_A_DAY) for events in days]))
    busiest = [short(events / SECONDS_A_DAY * given.peak) for events in days]
    lines.append(row("events a second, busiest hour", busiest))
    for title in ("users", "scores", "stored events"):
        lines.append(row(title, [short(sizes(events, given)[title]) for events in days]))
    for layer in LAYERS:
        if layer in costs:
            held = [events * costs[layer][-1].each for events in days]
            at = [f"{size_of(day)}; {size_of(day * given.stored_days)}" for day in held]
            lines.append(row(f"{layer}, a day; {given.stored_days:g} days", at))
    if LISTS_FILE in costs:
        each = costs[LISTS_FILE][-1].each
        at = [size_of(sizes(events, given)["users"] * each) for events in days]
        lines.append(row(LISTS_FILE, at))
    writer = sum(costs[stage][-1].each for stage in WRITER if stage in costs)
    busy = [number(events * writer / SECONDS_A_DAY) for events in days]
    return [*lines, row("cores of the one writer for events alone, on average", busy)]


def head(title: str, days: Sequence[float]) -> list[str]:
    """Return the first lines of a table with a column for each volume."""
    names = row(title, [f"{short(events)} a day" for events in days])
    return [names, "|---" * (len(days) + 1) + "|"]


def row(title: str, cells: Sequence[str]) -> str:
    """Return a line of a table."""
    return f"| {title} | " + " | ".join(cells) + " |"


def exponent(of: Sequence[Cost]) -> str:
    """Return how the cost of each grows, and what that makes of ten times the size."""
    return "" if len(of) == 1 else f"{growth(of):+.2f}, {10 ** growth(of):.2f} a tenfold"


def seconds(each: float) -> str:
    """Return the seconds of a million; of one, where one takes long."""
    return f"{each:.2f} each" if each >= _LONG else f"{float(f'{each * 1e6:.3g}'):,.6g}"


def span(low: float, high: float) -> str:
    """Return two numbers, or one where they are nearly alike."""
    a, b = number(low), number(high)
    return a if a == b else f"{a} to {b}"


def number(value: float) -> str:
    """Return two digits of a number, without an exponent."""
    if value >= _HUNDRED:
        return f"{float(f'{value:.2g}'):,.0f}"
    return f"{value:.2g}" if value >= _LONG else "< 0.01"


def short(value: float, units: Sequence[tuple[float, str]] = _NUMBERS) -> str:
    """Return a number with a letter for its thousands."""
    for size, letter in units:
        if value >= size:
            return f"{value / size:.3g} {letter}"
    return f"{value:.3g}"


def size_of(value: float) -> str:
    """Return bytes in decimal units."""
    return short(value, _SIZES)


if __name__ == "__main__":
    main()
