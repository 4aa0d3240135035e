"""What a million events cost at each stage, how that grows, and what it comes to at a volume a day.

    python benchmarks/capacity.py [--days 10e6 1e9 100e9] [--assume peak=2 --assume stored_days=90]
        [--stored 100000 400000 1600000] [--save costs.json] [--page docs/capacity.md]
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
import math
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

import capacity_servers
import capacity_stages
from capacity_files import around, assumed, kept, put, save
from capacity_sizing import Cost
from capacity_tables import tables
from machine import say_what_machine


def volume(text: str) -> float:
    """Return a volume of the command line; raise ValueError for what is none."""
    number = float(text)
    if not 0 < number < math.inf:
        raise ValueError(text)
    return number


def main() -> None:
    """Measure, or read what was measured; print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--days",
        type=volume,
        nargs="+",
        default=[10e6, 1e9, 100e9],
        metavar="N",
        help="events a day, a column for each",
    )
    parser.add_argument(
        "--assume",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="what a product is like; those there are stand under the tables",
    )
    parser.add_argument(
        "--stored", type=int, nargs="+", default=[100_000, 400_000, 1_600_000], help="events"
    )
    parser.add_argument("--scores", type=int, nargs="+", default=[25_000, 100_000])
    parser.add_argument("--users", type=int, nargs="+", default=[5_000, 50_000])
    parser.add_argument("--connections", type=int, nargs="+", default=[64, 384])
    parser.add_argument(
        "--save", type=Path, metavar="FILE", help="keeps costs while they are measured"
    )
    parser.add_argument(
        "--measured",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="costs that were kept; measures nothing",
    )
    parser.add_argument(
        "--page", type=Path, metavar="FILE", help="puts the tables between the marks of a page"
    )
    chosen = parser.parse_args()
    given = assumed(chosen.assume)
    if chosen.page:
        around(chosen.page)  # Better now than after ten minutes.
    # Told to end, it ends its servers and removes their data, as after Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    machine, found = kept(chosen.measured) if chosen.measured else measured(chosen)
    parts = [[machine.strip()], *tables(found, chosen.days, given)]
    text = "\n\n".join("\n".join(part) for part in parts)
    print(text)
    if chosen.page:
        put(chosen.page, text)


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
            save(chosen.save, said.getvalue(), found)
    return said.getvalue(), found


def stages(chosen: argparse.Namespace) -> Iterator[Cost]:
    """Give what each stage takes at each size."""
    yield from capacity_servers.collecting(chosen.connections)
    for step, of in (("pipeline", chosen.stored), ("learning", chosen.scores)):
        for size in of:
            yield from capacity_stages.in_a_process(step, size)
    yield from capacity_servers.listing(chosen.users)
    yield from capacity_servers.flag(chosen.users)
    for size in chosen.stored:
        yield from capacity_stages.in_a_process("dashboard", size)


if __name__ == "__main__":
    main()
