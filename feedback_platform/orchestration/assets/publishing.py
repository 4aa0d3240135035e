"""The end of every run: readers see the new state, whole."""

import dagster as dg

from feedback_platform.orchestration import keys
from feedback_platform.orchestration.failures import RETRIES, reported_failures
from feedback_platform.orchestration.resources import PlatformResource
from feedback_platform.warehouse.connection import exclusive_warehouse
from feedback_platform.warehouse.publishing import TABLES, publish


@dg.asset(
    key=keys.PUBLISHED,
    deps=[dg.AssetKey([table.schema, table.name]) for table in TABLES],
    group_name=keys.PUBLISH,
    owners=keys.OWNERS,
    kinds={"duckdb", "parquet"},
    pool=keys.WAREHOUSE_POOL,
    retry_policy=RETRIES,
    description=(
        "published/feedback.duckdb: views over immutable Parquet, replaced at once. What "
        "dashboards, training and everybody else read."
    ),
)
def published_database(platform: PlatformResource) -> dg.MaterializeResult:
    """Publish the present state of the warehouse."""
    settings = platform.settings
    with reported_failures(), exclusive_warehouse(settings.warehouse_path):
        publication = publish(settings.warehouse_path, settings.published_path, platform.lake())
    return dg.MaterializeResult(
        metadata={
            "database": dg.MetadataValue.path(str(settings.published_path)),
            "through batch": publication.through,
            "files written": publication.files_written,
            "files": publication.files,
            **{f"rows {name}": rows for name, rows in publication.rows.items() if rows},
        }
    )
