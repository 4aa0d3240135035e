"""reprocess: a past period cleaned again from raw, without the UI."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from feedback_platform.cleaning.configuration import load_rules
from feedback_platform.cleaning.engines.selection import chosen_engine
from feedback_platform.cleaning.reprocessing import ReprocessedDay, reprocess_days
from feedback_platform.cli.options import show, with_json, with_settings
from feedback_platform.cli.progress import progress_bar
from feedback_platform.errors import InvalidInputError
from feedback_platform.events.translation.mapping import load_mapping
from feedback_platform.lake.store import Lake
from feedback_platform.settings import Settings

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command(epilog="Example: feedback-platform reprocess --from 2026-01-01 --to 2026-01-07")
@click.option("--from", "first", type=_DAY, required=True, help="The first UTC day of reception.")
@click.option("--to", "last", type=_DAY, help="The last one. [default: the first]")
@with_settings
@with_json
def reprocess(settings: Settings, as_json: bool, first: datetime, last: datetime | None) -> None:
    """Clean a past period again from raw, day by day, beside what is live.

    It applies the present rules, contract and mapping, and the newest reference statistics. Each
    day counts as soon as it is done; `feedback-platform process`, or the next micro-batch, takes
    the days in. A period that was interrupted goes on with --from the day that was not done.
    """
    days: list[ReprocessedDay] = []
    with progress_bar("Reprocessing") as (report, detail):
        for day in reprocess_days(
            Lake(settings.lake_url),
            load_rules(settings.cleaning_rules),
            first=first.date(),
            last=(last or first).date(),
            mapping=load_mapping(settings.event_mapping),
            engine=chosen_engine(settings),
        ):
            days.append(day)
            report(day.done, day.objects)
            detail(f"{day.day} done")
    outcome = _outcome(days)
    if not outcome["batches"]:
        raise InvalidInputError(
            f"Nothing that was received from {first:%Y-%m-%d} to {last or first:%Y-%m-%d} "
            "is clean yet, so there is nothing to clean again."
        )
    show(outcome, as_json=as_json)


def _outcome(days: list[ReprocessedDay]) -> dict[str, Any]:
    outcomes = [day.outcome for day in days]
    manifests = [manifest for outcome in outcomes for manifest in outcome.manifests]
    return {
        "days": sum(bool(outcome.manifests) for outcome in outcomes),
        "raw_objects": sum(outcome.objects for outcome in outcomes),
        "lines": sum(outcome.rows for outcome in outcomes),
        "clean": sum(outcome.clean for outcome in outcomes),
        "quarantined": sum(outcome.quarantined for outcome in outcomes),
        "duplicates": sum(outcome.duplicates for outcome in outcomes),
        "erased": sum(outcome.erased for outcome in outcomes),
        "reference": manifests[-1].reference_version if manifests else "none",
        "batches": len(manifests),
        "next": "feedback-platform process",
    }
