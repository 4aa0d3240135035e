"""Drift: whether what users do has changed since the models learned it."""

import dagster as dg

from feedback_platform.monitoring.drift_state import list_events
from feedback_platform.monitoring.streams import watch_streams
from feedback_platform.orchestration import keys
from feedback_platform.orchestration.failures import RETRIES, reported_failures
from feedback_platform.orchestration.resources import PlatformResource
from feedback_platform.warehouse.connection import exclusive_warehouse, open_warehouse
from feedback_platform.warehouse.loading import replace_tables
from feedback_platform.warehouse.published import relation_frame


@dg.asset(
    key=keys.DRIFT_EVENTS,
    deps=[keys.INTERACTIONS, keys.USER_FEEDBACK],
    group_name=keys.MEASURE,
    owners=keys.OWNERS,
    kinds={"python", "duckdb"},
    pool=keys.WAREHOUSE_POOL,
    retry_policy=RETRIES,
    description=(
        "Changes that ADWIN found in click-through and mean score; each asks for a retraining."
    ),
)
def drift_events(
    context: dg.AssetExecutionContext, platform: PlatformResource
) -> dg.MaterializeResult:
    """Take the new part of each stream and look for a change in it."""
    lake, path = platform.lake(), platform.settings.warehouse_path
    with reported_failures(), exclusive_warehouse(path), open_warehouse(path) as connection:
        rules = platform.what_follows()
        found = watch_streams(lake, lambda sql, span: relation_frame(connection, sql, span), rules)
        known = list_events(lake)
        replace_tables(connection, {("metrics", "drift_events"): known})
    for event in found:
        context.log.warning(
            f"{event.stream} changed from {event.before_mean:.4f} to {event.after_mean:.4f}, "
            f"noticed with the events of {event.detected_at:%Y-%m-%d %H:%M} UTC"
        )
    return dg.MaterializeResult(metadata={"found now": len(found), "known": known.height})
