"""What Dagster loads. `build_definitions` is the one composition; tests pass other resources."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from feedback_platform.cleaning.configuration import load_rules
from feedback_platform.events.translation.mapping import load_mapping
from feedback_platform.learning.gate_rules import load_gate_rules
from feedback_platform.orchestration.alert_sensors import ALERT_SENSORS
from feedback_platform.orchestration.assets import (
    adjusting,
    cleaning,
    experimenting,
    freshness,
    learning,
    measuring,
    monitoring,
    privacy,
    publishing,
    reprocessing,
)
from feedback_platform.orchestration.assets.transformation import build_dbt_models
from feedback_platform.orchestration.checks import CHECKS
from feedback_platform.orchestration.freshness_check import layers_are_fresh
from feedback_platform.orchestration.jobs import build_jobs
from feedback_platform.orchestration.model_checks import MODEL_CHECKS
from feedback_platform.orchestration.progress import progress_logger
from feedback_platform.orchestration.resources import PlatformResource
from feedback_platform.orchestration.schedules import build_schedules
from feedback_platform.orchestration.sensors import SENSORS, WATCH_SECONDS
from feedback_platform.orchestration.shortcuts import take_shortcuts
from feedback_platform.settings import Settings, load_settings


def build_definitions(
    settings: Settings,
    resource_overrides: Mapping[str, Any] | None = None,
    *,
    watch_seconds: float = 0.0,
) -> dg.Definitions:
    """Return every asset, check, job, sensor and schedule over one installation.

    Args:
        settings: where the data lies.
        resource_overrides: resources that take the place of the default ones, by name.
        watch_seconds: how long a sensor goes on looking for what is new in one tick.

    Raises:
        InvalidInputError: the event mapping, the cleaning rules or those of the gate mean nothing.
            Each run loads this anew, so a mistake in the trigger rules is left to their evaluation.
    """
    load_mapping(settings.event_mapping)
    load_rules(settings.cleaning_rules)
    load_gate_rules(settings.gate_rules)
    platform = PlatformResource.from_settings(settings, watch_seconds)
    return dg.Definitions(
        assets=[
            cleaning.raw_events,
            cleaning.clean_events,
            cleaning.reference_statistics,
            reprocessing.reprocessed_events,
            build_dbt_models(platform.dbt()),
            monitoring.monitoring,
            freshness.layer_freshness,
            measuring.signals,
            measuring.loop,
            measuring.measured,
            adjusting.adjustments,
            experimenting.experiments,
            learning.recommender,
            learning.segments,
            learning.lists,
            learning.learned,
            publishing.published_database,
            privacy.erasures,
            privacy.erasure_reports,
        ],
        asset_checks=[*CHECKS, *MODEL_CHECKS, layers_are_fresh],
        jobs=build_jobs(),
        schedules=build_schedules(),
        sensors=[*SENSORS, *ALERT_SENSORS],
        # Also what is chosen in the UI: a process for each step would import everything anew.
        executor=dg.in_process_executor,
        loggers={"progress": progress_logger},
        resources={"platform": platform, **(resource_overrides or {})},
    )


def defs() -> dg.Definitions:
    """Return the definitions of the installation that the environment names."""
    take_shortcuts()
    return build_definitions(load_settings(), watch_seconds=WATCH_SECONDS)
