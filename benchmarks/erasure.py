"""What erasing users costs, layer by layer, and its proof, beside building everything.

    python benchmarks/erasure.py [--users 100000] [--erase 1000] [--days 2] [--train]

A simulated product goes through the whole platform, in a directory of its own. Then one request
names users that are spread evenly over all of them, and is carried out as `feedback-platform erase`
does it, up to the proof that no byte of them is left. Then all days are reprocessed and the
warehouse is built anew once more: nobody may have come back.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from machine import say_what_machine

from feedback_platform.cleaning.configuration import default_rules
from feedback_platform.cleaning.reprocessing import reprocess
from feedback_platform.cli.erasure import printed
from feedback_platform.cli.running import JobRunner
from feedback_platform.lake.store import Lake
from feedback_platform.privacy.reports import read_report
from feedback_platform.privacy.requests import file_request
from feedback_platform.settings import Settings, load_settings
from feedback_platform.simulation import SimulationParameters, simulate, write_simulation
from feedback_platform.warehouse.published import query

FIRST_DAY = date(2026, 1, 5)


def main() -> None:
    """Build, erase, prove, and try to bring them back."""
    arguments = _arguments()
    say_what_machine()
    with tempfile.TemporaryDirectory() as directory:
        settings = load_settings(Path(directory) / "data", {})
        runner = JobRunner(settings)
        _timed("simulate", lambda: _simulate(settings, arguments.users, arguments.days))
        _timed("process", runner.process)
        if arguments.train:
            _timed("train", runner.train)
        known = query(
            settings.published_path,
            "select user_id from interaction.users where user_id not like 'anonymous:%' order by 1",
        )["user_id"].to_list()
        step = max(1, len(known) // arguments.erase)
        erased = known[::step][: arguments.erase]
        events = query(settings.published_path, "select count(*) from interaction.interactions")
        print(f"{events.item():,} interactions of {len(known):,} users; {len(erased):,} leave")
        lake = Lake(settings.lake_url)
        request = file_request(lake, erased, now=datetime.now(UTC))
        _timed("erase, in all", runner.erase)
        report = read_report(lake, request.request_id)
        if report is None:
            sys.exit("The request is still pending.")
        print(printed(report))
        last = FIRST_DAY + timedelta(days=arguments.days + 7)
        rules = default_rules()
        _timed("reprocess", lambda: reprocess(lake, rules, first=FIRST_DAY, last=last))
        settings.warehouse_path.unlink()
        _timed("process again", runner.process)
        _check_gone(settings, erased)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"none of them came back; peak of memory {peak:,.0f} MiB")


def _simulate(settings: Settings, users: int, days: int) -> None:
    parameters = SimulationParameters(first_day=FIRST_DAY, users=users, days=days)
    write_simulation(Lake(settings.lake_url), simulate(parameters))


def _check_gone(settings: Settings, erased: list[str]) -> None:
    left = query(
        settings.published_path,
        "select count(*) from interaction.interactions where user_id in (select unnest(?))",
        [erased],
    ).item()
    if left:
        sys.exit(f"{left} events came back.")


def _timed(what: str, step: Any) -> None:
    started = time.perf_counter()
    step()
    print(f"{what:<20} {time.perf_counter() - started:>8.1f} s", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--erase", type=int, default=1_000)
    parser.add_argument("--days", type=int, default=2)
    parser.add_argument("--train", action="store_true", help="with models, which takes longer")
    return parser.parse_args()


if __name__ == "__main__":
    main()
