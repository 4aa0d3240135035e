from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from feedback_platform.lake.store import Lake
from feedback_platform.monitoring import feature_watch
from feedback_platform.monitoring.drift import DriftEvent
from feedback_platform.monitoring.drift_state import list_events
from feedback_platform.monitoring.feature_reference import FeatureReference
from feedback_platform.monitoring.feature_watch import (
    LOOKS_SCHEMA,
    feature_reference,
    is_due,
    load_looks,
    look_at_features,
    looks_table,
)
from feedback_platform.monitoring.monitoring_rules import MonitoringRules, default_monitoring_rules
from feedback_platform.monitoring.streams import settled
from feedback_platform.warehouse.published import relation_frame

START = datetime(2026, 3, 1)  # noqa: DTZ001 - the warehouse keeps UTC without saying so
FLAGS = (
    *(f"is_device_{name}" for name in ("desktop", "mobile", "tablet", "other", "unknown")),
    *(
        f"is_platform_{name}"
        for name in ("web", "ios", "android", "macos", "windows", "linux", "other", "unknown")
    ),
)
USERS = 400
RULES = default_monitoring_rules()
RULES = replace(RULES, features=replace(RULES.features, smallest_sample=100))


class Features:
    """The tables that features are read from, and users whose habits can be changed."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        connection.execute("set TimeZone = 'UTC'")
        flags = ", ".join(f"0 as {name}" for name in FLAGS)
        connection.execute(
            f"""
            create schema interaction;
            create table interaction.interactions (occurred_at timestamp, received_at timestamp);
            create schema features;
            create table features.user_features as
            select
                'u' || n as user_id,
                timestamp '{START}' as as_of,
                40 + n % 5 as events, 4 as sessions, 2 as active_days, 20 as impressions,
                10 as views, 5 + n % 7 as clicks, 0 as uses, n % 3 as likes, 0 as dismissals,
                0 as ratings, 0 as conversions, 3 as items, (n % 100) / 100 as average_score,
                {flags},
                case when n % 4 > 0
                    then map {{'chess': (n % 50) / 100, 'go''s': 1 - (n % 50) / 100}}
                    else map() end as category_affinity
            from range({USERS}) as numbers (n);
            create table features.item_features as
            select
                'i' || n as item_id, timestamp '{START}' as as_of, 100 as impressions,
                (n % 10) / 100 as click_through, 10 as ratings, 3 + n % 3 as average_rating,
                (n % 10) / 10 as average_score
            from range({USERS}) as numbers (n);
            """
        )
        self.until(0)

    def until(self, hours: int) -> datetime:
        """Let the tables be read up to so many hours behind the start; return that time."""
        newest = START + timedelta(hours=hours, minutes=30)
        self.connection.execute("insert into interaction.interactions values (?, ?)", [newest] * 2)
        found = settled(self.query)
        assert found is not None
        return found

    def change(self, what: str) -> None:
        self.connection.execute(f"update features.user_features set {what}")

    def query(self, sql: str, parameters: list[Any]) -> pl.DataFrame:
        return relation_frame(self.connection, sql, parameters)

    def look(
        self, lake: Lake, reference: FeatureReference, hours: int, rules: MonitoringRules = RULES
    ) -> list[DriftEvent]:
        return look_at_features(lake, self.query, self.until(hours), reference, "v1", rules)


@pytest.fixture
def features() -> Iterator[Features]:
    with duckdb.connect() as connection:
        yield Features(connection)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path.as_uri())


@pytest.fixture
def reference(features: Features) -> FeatureReference:
    found = feature_reference(features.query)
    assert found is not None
    return found


def test_without_events_there_is_no_reference(features: Features) -> None:
    features.connection.execute("delete from interaction.interactions")

    assert feature_reference(features.query) is None


def test_a_reference_has_shares_rates_flags_and_the_affinity_to_each_category(
    reference: FeatureReference,
) -> None:
    found = reference.features

    assert found["user.clicks_by_impressions"].mean == pytest.approx(8 / 20, abs=0.01)
    assert found["user.events_a_day"].mean == pytest.approx(21)
    assert found["user.is_device_mobile"].counts == (USERS, 0)
    # Who has no affinity to anything is missing, and not indifferent.
    assert found["user.affinity:chess"].missing == USERS / 4
    assert found["user.affinity:go's"].size == USERS * 3 / 4
    assert found["item.average_rating"].edges == (3, 4, 5)
    assert "user.events" not in found


def test_who_has_not_been_active_for_four_weeks_is_not_looked_at(features: Features) -> None:
    features.change("as_of = as_of - interval 28 days where user_id in ('u1', 'u2')")

    found = feature_reference(features.query)

    assert found is not None
    assert found.features["user.events_a_day"].size == USERS - 2


def test_features_that_stay_as_they_are_have_not_drifted(
    features: Features, lake: Lake, reference: FeatureReference
) -> None:
    assert features.look(lake, reference, 1) == []
    assert features.look(lake, reference, 7) == []

    looks = looks_table(load_looks(lake))
    assert looks.schema == LOOKS_SCHEMA
    assert looks["ks"].max() == 0
    assert looks["is_drifted"].any() is False
    assert looks.n_unique(["feature", "measured_at"]) == looks.height == 2 * len(reference.features)


def test_another_taste_is_found_at_the_second_look_and_told_once(
    features: Features, lake: Lake, reference: FeatureReference
) -> None:
    features.change(
        "category_affinity = map {'chess': 0.9, 'go''s': 0.1} "
        "where cardinality(category_affinity) > 0"
    )
    assert features.look(lake, reference, 1) == []

    found = features.look(lake, reference, 7)

    assert [event.stream for event in found] == [
        "feature:user.affinity:chess",
        "feature:user.affinity:go's",
    ]
    assert {event.action for event in found} == {"alert"}
    assert features.look(lake, reference, 13) == []
    assert set(list_events(lake)["event_id"]) == {event.event_id for event in found}


def test_a_run_that_died_behind_its_look_makes_it_again_and_tells_the_same(
    features: Features, lake: Lake, reference: FeatureReference
) -> None:
    features.change("average_score = 0.99")
    features.look(lake, reference, 1)
    found = features.look(lake, reference, 7)

    assert features.look(lake, reference, 7) == found
    assert looks_table(load_looks(lake)).n_unique(["feature", "measured_at"]) == len(
        load_looks(lake)
    )


def test_it_is_time_for_a_look_after_six_hours(
    features: Features, lake: Lake, reference: FeatureReference
) -> None:
    assert is_due(lake, features.until(0), RULES.features)
    features.look(lake, reference, 1)

    assert not is_due(lake, features.until(6), RULES.features)
    assert is_due(lake, features.until(7), RULES.features)


def test_only_the_newest_looks_are_kept(
    features: Features,
    lake: Lake,
    reference: FeatureReference,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feature_watch, "MOST_LOOKS", 2)
    for hours in (6, 12, 18):
        features.look(lake, reference, hours)

    kept = looks_table(load_looks(lake))["measured_at"].unique().sort()
    assert [(time.replace(tzinfo=None) - START) // timedelta(hours=1) for time in kept] == [12, 18]
