"""A check that nothing waits: what was received is published soon, whether or not runs succeed."""

from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg

from feedback_platform.monitoring.freshness import overdue, waiting
from feedback_platform.orchestration import keys
from feedback_platform.orchestration.resources import PlatformResource
from feedback_platform.warehouse.published import published_through

# Many times what a busy hour takes; a rebuild of everything may take longer.
PATIENCE: Final = timedelta(minutes=15)


@dg.asset_check(asset=keys.PUBLISHED, name="layers_are_fresh")
def layers_are_fresh(platform: PlatformResource) -> dg.AssetCheckResult:
    """No raw object and no batch has waited for a quarter of an hour to be published.

    Warning: one has. Looked at in the lake itself: a pipeline that stands still measures nothing.
    """
    found = waiting(platform.lake(), published_through(platform.settings.published_path))
    problem = overdue(found, datetime.now(UTC), PATIENCE)
    return dg.AssetCheckResult(
        passed=problem is None,
        severity=dg.AssetCheckSeverity.WARN,
        description=problem or "Nothing waits for long.",
        metadata={"raw objects waiting": found.objects, "batches waiting": found.batches},
    )
