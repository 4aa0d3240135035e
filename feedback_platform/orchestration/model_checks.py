"""Checks of the models in use: nothing torn is served unseen, and nothing grows old unseen."""

from typing import Final

import dagster as dg

from feedback_platform.learning.model_health import stale_champion, unusable_champion
from feedback_platform.learning.training import MODELS
from feedback_platform.learning.version_table import versions
from feedback_platform.orchestration import keys
from feedback_platform.orchestration.resources import PlatformResource


@dg.asset_check(asset=keys.MODEL_VERSIONS, name="champions_are_intact")
def champions_are_intact(platform: PlatformResource) -> dg.AssetCheckResult:
    """Every file of each champion is what was registered.

    Error: a file is missing or has changed; an earlier champion is served in its place.
    """
    lake = platform.lake()
    found = [problem for name in MODELS if (problem := unusable_champion(lake, name))]
    return dg.AssetCheckResult(
        passed=not found,
        severity=dg.AssetCheckSeverity.ERROR,
        description=" ".join(found) or "Every champion is intact.",
    )


@dg.asset_check(asset=keys.MODEL_VERSIONS, name="champions_are_fresh")
def champions_are_fresh(platform: PlatformResource) -> dg.AssetCheckResult:
    """No champion is older than `gate.toml` allows, and trainings are not refused again and again.

    Warning: one is, or they are.
    """
    lake, rules, now = platform.lake(), platform.models_gate(), platform.now()
    found = [
        problem
        for name in MODELS
        for problem in stale_champion(versions(lake, name), name, now=now, rules=rules)
    ]
    return dg.AssetCheckResult(
        passed=not found,
        severity=dg.AssetCheckSeverity.WARN,
        description=" ".join(found) or "Every champion is fresh.",
    )


MODEL_CHECKS: Final = [champions_are_intact, champions_are_fresh]
