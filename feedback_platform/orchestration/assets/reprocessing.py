"""A past period cleaned again: a partition is what was received on a UTC day.

A backfill over a range of days is launched, watched and stopped in the UI; each day is a run of its
own. Cleaning writes to the lake alone, so it takes no turn in the pool `warehouse`: micro-batches
go on, and each takes in the days that are ready.
"""

from datetime import date
from typing import Final

import dagster as dg

from feedback_platform.cleaning.reprocessing import reprocess_days
from feedback_platform.orchestration import keys
from feedback_platform.orchestration.failures import RETRIES, reported_failures
from feedback_platform.orchestration.resources import PlatformResource

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
) -> dg.MaterializeResult:
    """Clean again what was received on a day."""
    asked = date.fromisoformat(context.partition_key)
    with reported_failures():
        days = list(
            reprocess_days(
                platform.lake(),
                platform.rules(),
                first=asked,
                last=asked,
                mapping=platform.mapping(),
                engine=platform.cleaning_engine(),
            )
        )
    manifests = [manifest for day in days for manifest in day.outcome.manifests]
    lines = sum(manifest.rows for manifest in manifests)
    context.log.info(f"{asked}: {lines} lines cleaned again, in {len(manifests)} batches")
    return dg.MaterializeResult(
        metadata={
            "raw objects": sum(len(manifest.raw_objects) for manifest in manifests),
            "lines": lines,
            "clean": sum(manifest.clean for manifest in manifests),
            "quarantined": sum(manifest.quarantined for manifest in manifests),
            "reference": manifests[-1].reference_version if manifests else "none",
            "batches": [manifest.sequence for manifest in manifests],
        }
    )
