"""The tables of the capacity page, in Markdown: what was measured, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

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

LAYERS: Final = ("raw objects", "clean Parquet", "warehouse file", "published Parquet")
LISTS_FILE: Final = "lists file"
WRITER: Final = ("raw to clean", "taking in", "dbt", "publishing")
# Not in the sum: the dearer way to collect, and reads that the published files are not made for.
APART: Final = ("collecting, one event a request", "reading a user's features")
_LONG: Final = 0.01
_NUMBERS: Final = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
_SIZES: Final = ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))

Costs = dict[str, list[Cost]]


def tables(found: Sequence[Cost], days: Sequence[float], given: Assumptions) -> list[list[str]]:
    """Return the lines of each table, and of the assumptions."""
    costs = by_stage(found)
    on_disk = {stage: of for stage, of in costs.items() if stage in {*LAYERS, LISTS_FILE}}
    spent = {stage: of for stage, of in costs.items() if stage not in on_disk}
    return [
        table_of_costs(spent),
        table_of_bytes(on_disk),
        table_of_cores(costs, days, given),
        table_of_disks(costs, days, given),
        ["Assumed: " + ", ".join(formula(given)) + "."],
    ]


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
        if last.peer:
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
    return f"{float(f'{value:.2g}'):,.12g}" if value >= _LONG else "< 0.01"


def short(value: float, units: Sequence[tuple[float, str]] = _NUMBERS) -> str:
    """Return three digits of a number with a letter for its thousands."""
    value = float(f"{value:.3g}")
    for size, letter in units:
        if value >= size:
            return f"{value / size:.3g} {letter}"
    return f"{value:.3g}"


def size_of(value: float) -> str:
    """Return bytes in decimal units."""
    return short(value, _SIZES)
