from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import dagster as dg
import duckdb
import polars as pl
import pytest

from feedback_platform.cleaning.configuration import default_rules
from feedback_platform.cleaning.reprocessing import reprocess
from feedback_platform.learning.segments import adjusted_rand_index
from feedback_platform.orchestration import jobs
from feedback_platform.orchestration.checks import every_event_is_accounted_for
from feedback_platform.simulation import planted_groups
from feedback_platform_tests.installation import Installation, differences

ACCOUNTING = "every_event_is_accounted_for"

# The columns that others rely on, from DESIGN.md.
CONTRACT = {
    "interaction.interactions": (
        "event_id event_type user_id item_id session_id occurred_at received_at value device_type "
        "placement position recommendation_id"
    ),
    "interaction.sessions": (
        "session_id user_id started_at ended_at events duration_seconds is_bounce device_type"
    ),
    "interaction.users": "user_id first_seen_at last_seen_at attributes",
    "interaction.items": "item_id first_seen_at last_seen_at attributes",
    "feedback.user_feedback": (
        "feedback_id user_id item_id feedback_score feedback_type signal raw_value confidence "
        "is_imputed is_outlier timestamp"
    ),
    "feedback.feedback_scores": (
        "user_id item_id explicit_score implicit_score feedback_score confidence explicit_count "
        "implicit_count is_conflicting resolution last_feedback_at"
    ),
    "features.user_features": "user_id as_of",
    "features.item_features": "item_id as_of",
    "ml.user_segments": "user_id segment_id algorithm distance model_version",
    "ml.segment_profiles": "segment_id name users top_preferences features",
    "ml.recommendations": "user_id rank item_id score model_version reason",
    "ml.model_versions": "model version trained_at trigger metrics status reason",
    "metrics.engagement_daily": (
        "day segment placement sessions users impressions clicks ctr session_seconds bounce_rate"
    ),
    "metrics.engagement_by_model_daily": "day model_version placement impressions clicks ctr users",
    "metrics.satisfaction_daily": (
        "day responses nps nps_low nps_high ratings average_rating csat_responses csat csat_low "
        "csat_high"
    ),
    "metrics.conversion_daily": (
        "day segment users converted_users conversion_rate low high conversions revenue"
    ),
    "metrics.quarantine_daily": "day reason events",
    "metrics.signal_quality": (
        "signal target horizon_days users correlation low high p_value as_of"
    ),
    "metrics.signal_weights": "signal current_weight proposed_weight low high evidence as_of",
    "metrics.loop_health_daily": (
        "day impressions users items_shown catalogue coverage popularity_gini popularity_bias "
        "exploration_share filter_bubble_index"
    ),
    "metrics.layer_freshness": "layer newest_event_at written_at lag_seconds measured_at",
}

CONTRACT_OF_DRIFT = "stream method detected_at width before_mean after_mean action"


@pytest.fixture
def copy(loop: Installation, tmp_path: Path) -> Installation:
    return loop.copy_to(tmp_path / "data")


@pytest.mark.parametrize("table", CONTRACT)
def test_a_published_table_has_rows_and_the_columns_that_others_rely_on(
    loop: Installation, table: str
) -> None:
    rows = loop.query(f"from {table}")

    assert rows.height > 0
    assert set(CONTRACT[table].split()) <= set(rows.columns)


def test_a_quiet_product_has_no_drift(loop: Installation) -> None:
    drift = loop.query("from metrics.drift_events")

    assert drift.is_empty()
    assert set(CONTRACT_OF_DRIFT.split()) <= set(drift.columns)


def test_the_planted_groups_are_found_again(loop: Installation) -> None:
    segments = loop.query("select user_id, segment_id from ml.user_segments")
    planted = planted_groups(300, 1).rename({"group": "segment_id"})

    assert adjusted_rand_index(segments, planted) >= 0.8


def test_the_recommender_beats_popularity_and_is_the_champion(loop: Installation) -> None:
    (version,) = loop.query("from ml.model_versions where model = 'recommender'").to_dicts()

    figures = json.loads(version["metrics"])
    assert figures["ndcg_at_10"] > figures["popularity_ndcg_at_10"]
    assert (version["status"], version["trigger"]) == ("champion", "initial")
    weights = [source["weight"] for source in json.loads(version["parameters"])["sources"]]
    assert sum(weights) == pytest.approx(1)
    assert figures["inner_ndcg_at_10"] >= figures["inner_ndcg_at_10_of_warp"]
    assert all(figures[f"{name}_at_10"] > 0 for name in ("novelty", "diversity", "coverage"))


def test_processing_again_changes_no_row(copy: Installation) -> None:
    before = copy.tables()

    copy.process()

    assert differences(before, copy.tables()) == []


@pytest.mark.slow
def test_a_lost_warehouse_is_built_again_row_for_row(copy: Installation) -> None:
    # The segments came after the days; whoever builds anew knows both at once.
    copy.process()
    before = copy.tables()
    shutil.rmtree(copy.settings.warehouse_path.parent)

    copy.process()

    assert differences(before, copy.tables()) == []


def test_every_check_passes(loop: Installation) -> None:
    checks = loop.checks()

    assert [name for name, check in checks.items() if not check.passed] == []
    assert checks.keys() >= {ACCOUNTING, "clean_expectations", "feedback_expectations"}


def test_interactions_that_got_lost_are_noticed(copy: Installation) -> None:
    with duckdb.connect(copy.settings.warehouse_path) as connection:
        connection.execute(
            "delete from interaction.interactions where event_id in "
            "(select event_id from interaction.interactions order by event_id limit 3)"
        )
    # Months that did not change are not written again; without this one they are.
    copy.settings.published_path.unlink()
    copy.process()

    account = _account(copy)

    assert not account.passed
    assert _figure(account, "interactions") == _figure(account, "different events in the lake") - 3


@pytest.mark.slow
def test_quarantined_lines_that_got_lost_fail_the_quality_job(copy: Installation) -> None:
    with duckdb.connect(copy.settings.warehouse_path) as connection:
        connection.execute(
            "delete from lake.quarantined_events where raw_row = "
            "(select max(raw_row) from lake.quarantined_events)"
        )
    copy.process()

    checks = copy.checks()

    assert [name for name, check in checks.items() if not check.passed] == [ACCOUNTING]


def test_reprocessing_a_day_applies_the_newest_statistics_to_that_day_only(
    copy: Installation,
) -> None:
    stored = "select * exclude (batch_sequence) from interaction.interactions order by event_id"
    of_the_day = pl.col("raw_object").str.starts_with("raw/events/dt=2026-01-10/")
    before = copy.query(stored)
    version = copy.run(jobs.REFIT)["reference/statistics"]["version"].value

    reprocess(copy.lake, default_rules(), first=date(2026, 1, 10), last=date(2026, 1, 10))
    copy.process()

    after = copy.query(stored)
    assert after.filter(of_the_day)["reference_version"].unique().to_list() == [version]
    assert after.filter(~of_the_day).equals(before.filter(~of_the_day))
    unchanged = ["event_id", "raw_object", "raw_row", "value", "occurred_at"]
    assert after.select(unchanged).equals(before.select(unchanged))
    assert version not in before["reference_version"]
    assert _account(copy).passed


def _account(installation: Installation) -> dg.AssetCheckResult:
    result = every_event_is_accounted_for(platform=installation.platform)
    assert isinstance(result, dg.AssetCheckResult)
    return result


def _figure(result: dg.AssetCheckResult, name: str) -> int:
    figure = result.metadata[name].value
    assert isinstance(figure, int)
    return figure
