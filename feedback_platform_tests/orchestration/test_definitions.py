from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from feedback_platform.definitions import build_definitions
from feedback_platform.orchestration import keys
from feedback_platform.orchestration.jobs import (
    NAMES,
    PROCESS,
    REPLAY,
    REPROCESS,
    TRAIN,
    build_jobs,
)
from feedback_platform.orchestration.resources import PlatformResource
from feedback_platform.orchestration.schedules import hourly_quality
from feedback_platform.warehouse.publishing import TABLES
from feedback_platform_tests.installation import Installation

# Every node of the graph, by the group under which the UI shows it.
GROUPS = {
    "1_collect": {"raw/events"},
    "2_clean": {
        "clean/events",
        "quarantine/events",
        "reference/statistics",
        "reprocessed/events",
    },
    "3_interaction": {
        "interaction/activity",
        "interaction/arriving",
        "interaction/attribute_updates",
        "interaction/burst_limits",
        "interaction/changes",
        "interaction/devices",
        "interaction/incoming",
        "interaction/item_days",
        "interaction/interactions",
        "interaction/items",
        "interaction/sessions",
        "interaction/user_preferences",
        "interaction/users",
    },
    "4_feedback": {
        "feedback/feedback_scores",
        "feedback/item_keys",
        "feedback/item_opinions",
        "feedback/score_rules",
        "feedback/signal_weights",
        "feedback/user_feedback",
        "feedback/user_keys",
    },
    "5_features": {"features/item_features", "features/user_features"},
    "6_learn": {
        "ml/model_versions",
        "ml/recommendations",
        "ml/segment_profiles",
        "ml/user_segments",
        "models/lists",
        "models/recommender",
        "models/segments",
    },
    "7_measure": {
        "measured/loop_health",
        "measured/signals",
        "metrics/adjustments",
        "metrics/before_after",
        "metrics/conversion_daily",
        "metrics/alerts",
        "metrics/drift_events",
        "metrics/engagement_by_model_daily",
        "metrics/engagement_by_variant_daily",
        "metrics/engagement_daily",
        "metrics/engagement_days",
        "metrics/layer_freshness",
        "metrics/loop_health_daily",
        "metrics/feature_drift",
        "metrics/experiment_looks",
        "metrics/experiment_results",
        "metrics/experiments",
        "metrics/quarantine_daily",
        "metrics/retention_weekly",
        "metrics/satisfaction_daily",
        "metrics/touched_user_days",
        "metrics/user_days",
        "metrics/user_histories",
        "metrics/signal_quality",
        "metrics/signal_weights",
    },
    "8_publish": {"published/feedback"},
    "9_erase": {"privacy/erasures", "privacy/erasure_reports"},
}
BY_MODEL = {
    "metrics/engagement_days",
    "metrics/engagement_daily",
    "metrics/conversion_daily",
    "metrics/before_after",
}
# Measured of everything that is stored: not by micro-batches.
MEASURED = {
    "measured/loop_health",
    "measured/signals",
    "metrics/loop_health_daily",
    "metrics/signal_quality",
    "metrics/signal_weights",
}
LAYERS = {
    "clean/events",
    "quarantine/events",
    *GROUPS["3_interaction"],
    *GROUPS["4_feedback"],
    *GROUPS["5_features"],
    *(GROUPS["7_measure"] - MEASURED),
    *GROUPS["8_publish"],
}
JOBS = {
    "process": LAYERS,
    "reprocess": {"reprocessed/events"},
    "replay_quarantine": LAYERS,
    "train": {
        *GROUPS["6_learn"],
        *BY_MODEL,
        *MEASURED,
        "metrics/layer_freshness",
        "published/feedback",
    },
    "publish_models": {
        "ml/model_versions",
        "ml/recommendations",
        "ml/segment_profiles",
        "ml/user_segments",
        "models/lists",
        *BY_MODEL,
        "published/feedback",
    },
    "measure": {*MEASURED, "published/feedback"},
    "experiment": {
        "metrics/experiment_looks",
        "metrics/experiment_results",
        "metrics/experiments",
        "published/feedback",
    },
    "undo_adjustment": {"metrics/adjustments", "published/feedback"},
    "refit_reference": {"reference/statistics"},
    "erase": {*LAYERS, *GROUPS["9_erase"]},
    "quality": set(),
}


def names(asset_keys: set[dg.AssetKey]) -> set[str]:
    return {key.to_user_string() for key in asset_keys}


def test_the_definitions_load(definitions: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(definitions)


def test_the_graph_is_this_one(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    groups: dict[str, set[str]] = {}
    for key in graph.get_all_asset_keys():
        groups.setdefault(graph.get(key).group_name, set()).add(key.to_user_string())

    assert groups == GROUPS


def test_every_asset_says_what_it_is_whose_it_is_and_how_it_is_made(
    definitions: dg.Definitions,
) -> None:
    graph = definitions.resolve_asset_graph()
    nodes = [graph.get(key) for key in graph.get_all_asset_keys()]

    assert [n.key for n in nodes if not (n.description or "").strip()] == []
    assert [n.key for n in nodes if list(n.owners) != keys.OWNERS] == []
    assert [n.key for n in nodes if not n.kinds] == []


def test_the_graph_has_no_cycle_and_begins_with_what_is_given(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    ordered = [key for level in graph.toposorted_asset_keys_by_level for key in level]
    seeds = {
        dg.AssetKey(["feedback", "score_rules"]),
        dg.AssetKey(["feedback", "signal_weights"]),
        dg.AssetKey(["interaction", "burst_limits"]),
    }
    given = {keys.RAW_EVENTS, *seeds}

    assert set(ordered) == set(graph.get_all_asset_keys())
    assert {key for key in ordered if not graph.get(key).parent_keys} == given
    for place, key in enumerate(ordered):
        assert graph.get(key).parent_keys <= set(ordered[:place])


def test_publishing_comes_after_every_table_that_it_publishes(
    definitions: dg.Definitions,
) -> None:
    graph = definitions.resolve_asset_graph()

    assert graph.get(keys.PUBLISHED).parent_keys == {
        dg.AssetKey([table.schema, table.name]) for table in TABLES
    }
    # Only then can be proved that of erased users nothing is left.
    assert graph.get(keys.PUBLISHED).child_keys == {keys.ERASURE_REPORTS}


def test_only_the_pool_opens_the_warehouse(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    pooled = {
        key.to_user_string()
        for key in graph.get_all_asset_keys()
        if keys.WAREHOUSE_POOL in (graph.get(key).pools or set())
    }

    outside = {
        "measured/loop_health",
        "measured/signals",
        "raw/events",
        "reprocessed/events",
        "reference/statistics",
        "models/lists",
        "models/recommender",
        "models/segments",
        "privacy/erasures",
    }
    assert pooled == set().union(*GROUPS.values()) - outside


@pytest.mark.parametrize("job", JOBS)
def test_a_job_selects_what_it_says(definitions: dg.Definitions, job: str) -> None:
    layer = definitions.resolve_job_def(job).asset_layer

    assert names(set(layer.selected_asset_keys)) == JOBS[job]
    assert bool(layer.asset_graph.asset_check_keys) == (job == "quality")


def test_the_quality_job_runs_every_check(definitions: dg.Definitions) -> None:
    every = definitions.resolve_asset_graph().asset_check_keys
    run = definitions.resolve_job_def("quality").asset_layer.asset_graph.asset_check_keys

    assert run == every
    assert {key.name for key in every} >= {
        "clean_expectations",
        "feedback_expectations",
        "every_event_is_accounted_for",
        "champions_are_intact",
        "champions_are_fresh",
        "layers_are_fresh",
        "unique_interactions_event_id",
        "unique_user_feedback_feedback_id",
    }


def test_every_sensor_and_schedule_is_on_from_the_start(definitions: dg.Definitions) -> None:
    sensors = {sensor.name: sensor for sensor in definitions.sensors or []}
    schedules = {schedule.name: schedule for schedule in definitions.schedules or []}

    assert sensors.keys() == {
        "micro_batch_sensor",
        "drift_sensor",
        "first_training_sensor",
        "growth_sensor",
        "adjusted_lists_sensor",
        "erasure_sensor",
        "run_failure_sensor",
        "alert_sensor",
    }
    assert schedules.keys() == {
        "nightly_sweep",
        "nightly_training",
        "nightly_erasure",
        "weekly_refit",
        "hourly_quality",
    }
    on = dg.DefaultSensorStatus.RUNNING
    assert {name for name, sensor in sensors.items() if sensor.default_status != on} == set()
    assert {
        name
        for name, schedule in schedules.items()
        if schedule.default_status != dg.DefaultScheduleStatus.RUNNING
    } == set()


@pytest.mark.parametrize("name", ["nightly_sweep", "nightly_training", "weekly_refit"])
def test_a_schedule_asks_for_a_run_that_its_job_accepts(
    definitions: dg.Definitions, name: str
) -> None:
    schedule = definitions.resolve_schedule_def(name)
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(
            instance=instance, scheduled_execution_time=None, repository_def=None
        )
        (request,) = schedule.evaluate_tick(context).run_requests or []

    job = definitions.resolve_job_def(schedule.job_name)
    assert dg.validate_run_config(job, request.run_config)


def test_nothing_is_checked_before_something_is_published(tmp_path: Path) -> None:
    platform = Installation(tmp_path / "data").platform
    with dg.build_schedule_context(resources={"platform": platform}) as context:
        answer = hourly_quality(context)

    assert isinstance(answer, dg.SkipReason)


def test_a_resource_can_be_overridden(tmp_path: Path) -> None:
    settings = Installation(tmp_path / "data").settings
    other = PlatformResource(data_dir=str(tmp_path / "other"), lake_url="s3://bucket/other")

    definitions = build_definitions(settings, {"platform": other})

    assert definitions.resources == {"platform": other}


def test_what_is_live_goes_before_trainings_and_those_before_backfills() -> None:
    tags = {job.name: job.tags for job in build_jobs()}
    priority = {name: int(found["dagster/priority"]) for name, found in tags.items()}

    assert set(priority) == set(NAMES)
    assert priority[PROCESS] > priority[TRAIN] > priority[REPLAY] > priority[REPROCESS] == 0
    assert max(priority, key=priority.__getitem__) == PROCESS
