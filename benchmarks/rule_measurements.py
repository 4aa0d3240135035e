"""What measuring for trigger rules costs, metric by metric, beside a bare query of the same rows.

    python benchmarks/rule_measurements.py [--users 2000] [--days 28] [--rounds 5]
        [--data-dir DIRECTORY]

Of a simulated product, which is taken through to the published tables first, or of an installation
that is there, such as the one of `feedback-platform demo`; it is only read. Every metric that a
rule may watch is measured over the newest day and over all days, of the whole product and for each
placement where the metric knows them. The peer counts the interactions of the same time, users no
unit, nothing joined. At last what one evaluation of the rules that ship measures. The clock's
milliseconds and the processor's, which more than one core may share; the median of the rounds.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import polars as pl
from machine import say_what_machine

from feedback_platform.adjustment.rules.book import Book
from feedback_platform.adjustment.rules.definition import EACH, Scope
from feedback_platform.adjustment.rules.measurement import Query, Span, measure
from feedback_platform.adjustment.rules.metrics import METRICS, PLACEMENT
from feedback_platform.adjustment.rules.observing import observe
from feedback_platform.adjustment.rules.rules_file import default_trigger_rules
from feedback_platform.cli.running import JobRunner
from feedback_platform.lake.store import Lake
from feedback_platform.newest_event import newest_event
from feedback_platform.settings import load_settings
from feedback_platform.simulation import SimulationParameters, simulate, write_simulation
from feedback_platform.warehouse.published import open_published, relation_frame

FIRST_DAY: Final = date(2026, 1, 5)
_BARE: Final = """
    select placement, count(*) filter (where event_type = 'item_impression') as impressions,
        count(*) filter (where event_type = 'item_clicked') as clicks
    from interaction.interactions
    where occurred_at > $1::timestamp and occurred_at <= $2::timestamp
    group by placement
"""


def main() -> None:
    """Print a line for each metric."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--users", type=int, default=2_000)
    parser.add_argument("--days", type=int, default=28)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data-dir", type=Path, help="of an installation that has published")
    chosen = parser.parse_args()
    say_what_machine()
    with (
        _published(chosen.data_dir, chosen.users, chosen.days) as path,
        open_published(path) as connection,
    ):

        def query(sql: str, parameters: list[Any]) -> pl.DataFrame:
            return relation_frame(connection, sql, parameters)

        report(query, chosen.rounds)


@contextmanager
def _published(directory: Path | None, users: int, days: int) -> Iterator[Path]:
    """Yield the published database of an installation, or of one that is made."""
    if directory is not None:
        yield load_settings(directory, {}).published_path
        return
    with tempfile.TemporaryDirectory() as name:
        settings = load_settings(Path(name) / "data", {})
        parameters = SimulationParameters(first_day=FIRST_DAY, users=users, days=days)
        write_simulation(Lake(settings.lake_url), simulate(parameters))
        JobRunner(settings).process()
        yield settings.published_path


def report(query: Query, rounds: int) -> None:
    """Measure and print."""
    newest = newest_event(query)
    if newest is None:
        raise SystemExit("There is no event to measure.")
    (stored, first), *_ = query(
        "select count(*), min(occurred_at) from interaction.interactions", []
    ).rows()
    print(f"{stored:,} interactions of {(newest - first) / timedelta(days=1):.0f} days")
    print(f"{'metric':<22}{'scope':<12}{'a day, ms (CPU)':>20}{'all days, ms (CPU)':>22}")
    spans = [Span(newest - timedelta(days=1), newest), Span(first, newest)]
    for name, metric in METRICS.items():
        scopes: list[Scope] = [{}, {PLACEMENT: EACH}] if PLACEMENT in metric.dimensions else [{}]
        for scope in scopes:
            times = [_times(partial(measure, query, name, scope, span), rounds) for span in spans]
            _print_row(name, PLACEMENT if scope else "", times)
    times = [_times(partial(_bare, query, span), rounds) for span in spans]
    _print_row("bare query", PLACEMENT, times)
    rules = default_trigger_rules()
    wall, cpu = _times(partial(observe, query, rules, Book(), 1), rounds)
    print(f"rules that ship ({len(rules)}), all that they measure: {wall:.0f} ms ({cpu:.0f})")


def _bare(query: Query, span: Span) -> pl.DataFrame:
    return query(
        _BARE, [at.astimezone(UTC).replace(tzinfo=None) for at in (span.begins, span.ends)]
    )


def _print_row(name: str, scope: str, times: list[tuple[float, float]]) -> None:
    day, every = (f"{wall:.0f} ({cpu:.0f})" for wall, cpu in times)
    print(f"{name:<22}{scope:<12}{day:>20}{every:>22}", flush=True)


def _times(call: Callable[[], Any], rounds: int) -> tuple[float, float]:
    """Return the medians of the clock's and the processor's milliseconds."""
    walls, cpus = [], []
    for _ in range(rounds):
        began, spent = time.perf_counter(), time.process_time()
        call()
        walls.append(time.perf_counter() - began)
        cpus.append(time.process_time() - spent)
    return statistics.median(walls) * 1e3, statistics.median(cpus) * 1e3


if __name__ == "__main__":
    main()
