"""How far each layer has come, at the end of every run that brings something new."""

import dagster as dg

from feedback_platform.monitoring.freshness import (
    MODELS,
    TOGETHER,
    Position,
    freshness,
    lake_positions,
)
from feedback_platform.orchestration import keys
from feedback_platform.orchestration.failures import RETRIES, reported_failures
from feedback_platform.orchestration.resources import PlatformResource
from feedback_platform.warehouse.connection import exclusive_warehouse, open_warehouse
from feedback_platform.warehouse.loading import replace_tables
from feedback_platform.warehouse.newest_events import (
    completed_through,
    newest_learned,
    newest_stored,
)


@dg.asset(
    key=keys.LAYER_FRESHNESS,
    deps=[keys.INTERACTIONS, keys.FEEDBACK_SCORES, keys.USER_FEATURES, keys.MODEL_VERSIONS],
    group_name=keys.MEASURE,
    owners=keys.OWNERS,
    kinds={"python", "duckdb"},
    pool=keys.WAREHOUSE_POOL,
    retry_policy=RETRIES,
    description=(
        "Of each layer the newest event that it has, and by how much that is older than the "
        "newest that was received."
    ),
)
def layer_freshness(platform: PlatformResource) -> dg.MaterializeResult:
    """Ask the lake and the warehouse how far they are."""
    path, now = platform.settings.warehouse_path, platform.now()
    with reported_failures(), exclusive_warehouse(path), open_warehouse(path) as connection:
        stored = newest_stored(connection, now)
        through = completed_through(connection)
        positions = [
            *lake_positions(platform.lake(), through, stored.received_at),
            *(Position(layer, *stored) for layer in TOGETHER),
            Position(MODELS, *newest_learned(connection)),
        ]
        table = freshness(positions, now)
        replace_tables(connection, {("metrics", "layer_freshness"): table})
    lags = table.drop_nulls("lag_seconds").select("layer", "lag_seconds").iter_rows()
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": table.height,
            **{f"{layer} lags by seconds": lag for layer, lag in lags},
        }
    )
