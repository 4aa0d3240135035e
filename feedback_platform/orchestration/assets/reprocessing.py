"""A past period cleaned again: a partition is what was received on a UTC day.

A backfill over a range of days is launched, watched and stopped in the UI; each day is a run of its
own. Cleaning writes to the lake alone, so it takes no turn in the pool `warehouse`: micro-batches
go on, and each takes in the days that are ready.
"""

from collections.abc import Iterator
from datetime import date
from typing import Final

import dagster as dg

from feedback_platform.cleaning.task import CleaningTask
from feedback_platform.orchestration import keys
from feedback_platform.orchestration.failures import RETRIES, reported_failures
from feedback_platform.orchestration.resources import PlatformResource
from feedback_platform.orchestration.spark_driver import cleaned

# Days before anything was received cost nothing but a grey bar; today is among them.
DAYS: Final = dg.DailyPartitionsDefinition(start_date="2020-01-01", end_offset=1)


@dg.asset(
    key=keys.REPROCESSED,
    deps=[keys.RAW_EVENTS, keys.REFERENCE],
    group_name=keys.CLEAN,
    owners=keys.OWNERS,
    kinds={"polars", "parquet"},
    partitions_def=DAYS,
    retry_policy=RETRIES,
    description=(
        "Backfill: materialise the days that should be cleaned again from raw, with the present "
        "rules, contract and mapping and the newest statistics. Live micro-batches go on, and the "
        "next one takes in the days that are done. A day without events, or not clean yet, is "
        "passed over. Stop a backfill and start it again as you like; a day that was never asked "
        "for is not missing."
    ),
)
def reprocessed_events(
    context: dg.AssetExecutionContext, platform: PlatformResource
) -> Iterator[dg.MaterializeResult]:
    """Clean again what was received on a day."""
    task = CleaningTask(day=date.fromisoformat(context.partition_key))
    with reported_failures():
        yield from cleaned(context, platform, task)
