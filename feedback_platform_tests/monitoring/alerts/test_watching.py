from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import polars as pl
import pytest

from feedback_platform.monitoring.alerts.book import Kind, Severity
from feedback_platform.monitoring.alerts.watching import (
    PUBLISHED,
    RECEIVED,
    BatchRows,
    by_batches,
    by_tables,
    by_time,
)
from feedback_platform.monitoring.monitoring_rules import default_monitoring_rules
from feedback_platform.warehouse.published import relation_frame

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RULES = default_monitoring_rules().alerts


class Tables:
    """The published tables that are looked at."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(
            """
            create schema interaction;
            create table interaction.interactions (occurred_at timestamp, received_at timestamp);
            create schema ml;
            create table ml.model_versions (model varchar, status varchar, trained_at timestamp);
            create schema metrics;
            create table metrics.drift_events (
                event_id varchar, stream varchar, method varchar, detected_at timestamp,
                before_mean double, after_mean double, action varchar
            );
            """
        )

    def receive(self, hours: float) -> None:
        self.connection.execute(
            "insert into interaction.interactions values (?, ?)", [_at(hours), _at(hours)]
        )

    def drift(self, name: str, hours: float, action: str = "retrain, alert") -> None:
        self.connection.execute(
            "insert into metrics.drift_events values (?, ?, 'adwin', ?, 0.12, 0.06, ?)",
            [f"{name}{hours}", name, _at(hours), action],
        )

    def train(self, status: str, hours: float) -> None:
        self.connection.execute(
            "insert into ml.model_versions values ('recommender', ?, ?)", [status, _at(hours)]
        )

    def query(self, sql: str, parameters: list[Any]) -> pl.DataFrame:
        return relation_frame(self.connection, sql, parameters)

    def drifted(self) -> list[str]:
        return [each.subject for each in by_tables(self.query, RULES) if each.kind == Kind.DRIFT]


def _at(hours: float) -> datetime:
    return (NOON + timedelta(hours=hours)).replace(tzinfo=None)


@pytest.fixture
def tables() -> Iterator[Tables]:
    with duckdb.connect() as connection:
        yield Tables(connection)


def test_an_empty_platform_has_nothing_wrong(tables: Tables) -> None:
    assert by_tables(tables.query, RULES) == []
    assert by_time(tables.query, RULES, now=NOON, waiting=0, published_at=NOON) == []


def test_drift_is_told_of_where_its_rule_says_so(tables: Tables) -> None:
    tables.receive(1)
    tables.drift("click_through", 0)
    tables.drift("dwell", 0, "retrain")
    tables.drift("mean_score", 0, "record")

    (condition,) = by_tables(tables.query, RULES)

    assert (condition.subject, condition.severity) == ("click_through", Severity.WARNING)
    assert condition.message == (
        "Changed from 0.12 to 0.06 (adwin), noticed with the events of 2026-03-01 12:00 UTC."
    )


def test_drift_is_over_when_a_model_that_was_trained_since_is_in_use(tables: Tables) -> None:
    tables.receive(10)
    tables.drift("click_through", 0)
    tables.train("champion", -1)
    tables.train("rejected", 2)
    assert tables.drifted() == ["click_through"]

    tables.train("champion", 3)
    assert tables.drifted() == []


def test_drift_that_nothing_answers_is_told_of_for_three_days(tables: Tables) -> None:
    tables.drift("click_through", 0)
    tables.receive(71)
    assert tables.drifted() == ["click_through"]

    tables.receive(73)
    assert tables.drifted() == []


def test_arms_of_a_wrong_size_are_told_of_while_the_experiment_runs(tables: Tables) -> None:
    results = "(experiment_id varchar, variant varchar, sample_ratio_p_value double)"
    tables.connection.execute(f"create table metrics.experiment_results {results}")
    tables.connection.execute(
        "insert into metrics.experiment_results values "
        "('layout', 'a', 0.0004), ('layout', 'b', 0.0004), ('ranker', 'a', 0.002), "
        "('former', 'a', 0.0001)"
    )
    assert [each.subject for each in by_tables(tables.query, RULES)] == ["former", "layout"]

    tables.connection.execute(
        "create table metrics.experiments (experiment_id varchar, status varchar)"
    )
    tables.connection.execute(
        "insert into metrics.experiments values "
        "('layout', 'running'), ('ranker', 'running'), ('former', 'stopped')"
    )
    (condition,) = by_tables(tables.query, RULES)
    assert (condition.kind, condition.subject) == (Kind.SAMPLE_RATIO, "layout")
    assert "p = 0.0004" in condition.message


@pytest.mark.parametrize(
    ("batches", "is_wrong"),
    [
        ([(80, 20)], True),
        ([(81, 19)], False),
        ([(79, 20)], False),
        ([(1_000, 0), (0, 249)], False),
        ([(1_000, 0), (0, 250)], True),
        ([], False),
    ],
)
def test_a_fifth_of_a_hundred_events_or_more_is_too_much_to_refuse(
    batches: list[tuple[int, int]], *, is_wrong: bool
) -> None:
    found = by_batches([BatchRows(*batch) for batch in batches], RULES)

    assert bool(found) is is_wrong


def test_what_landed_and_is_not_shown_for_half_an_hour_makes_the_tables_stale(
    tables: Tables,
) -> None:
    def stale(minutes: int, waiting: int) -> list[str]:
        published_at = NOON - timedelta(minutes=minutes)
        found = by_time(tables.query, RULES, now=NOON, waiting=waiting, published_at=published_at)
        return [each.subject for each in found]

    assert stale(31, 1) == [PUBLISHED]
    assert stale(30, 1) == []
    # With nothing new there is nothing to show.
    assert stale(600, 0) == []


def test_a_day_without_any_event_is_told_of(tables: Tables) -> None:
    tables.receive(-24)
    assert by_time(tables.query, RULES, now=NOON, waiting=0, published_at=NOON) == []

    later = NOON + timedelta(minutes=1)
    (condition,) = by_time(tables.query, RULES, now=later, waiting=0, published_at=NOON)
    assert (condition.subject, condition.severity) == (RECEIVED, Severity.WARNING)
    assert "since 2026-02-28 12:00 UTC, for longer than 1 day" in condition.message


def test_history_that_was_imported_has_not_fallen_silent(tables: Tables) -> None:
    tables.receive(-100)
    tables.connection.execute(
        "create table metrics.layer_freshness as "
        "select 'interaction' as layer, ?::timestamp as newest_event_at, "
        "?::timestamp as written_at",
        [_at(-100), _at(-75)],
    )
    assert by_time(tables.query, RULES, now=NOON, waiting=0, published_at=NOON) == []

    tables.connection.execute("update metrics.layer_freshness set written_at = ?", [_at(-76)])
    (condition,) = by_time(tables.query, RULES, now=NOON, waiting=0, published_at=NOON)
    assert condition.subject == RECEIVED
