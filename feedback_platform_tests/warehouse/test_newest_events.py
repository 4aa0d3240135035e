from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from feedback_platform.warehouse.connection import open_warehouse
from feedback_platform.warehouse.newest_events import Newest, newest_learned, newest_stored

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
NOW = NOON + timedelta(days=1)


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_warehouse(tmp_path / "warehouse.duckdb") as connection:
        connection.execute("create schema interaction")
        connection.execute(
            "create table interaction.interactions (received_at timestamp, batch_sequence bigint)"
        )
        yield connection


def receive(warehouse: duckdb.DuckDBPyConnection, minute: int, batch: int = 1) -> None:
    at = (NOON + timedelta(minutes=minute)).replace(tzinfo=None)
    warehouse.execute("insert into interaction.interactions values (?, ?)", [at, batch])


def measured(warehouse: duckdb.DuckDBPyConnection, newest: datetime, at: datetime) -> None:
    warehouse.execute(
        "insert into metrics.layer_freshness values ('interaction', ?, ?, 0, ?)",
        [each.replace(tzinfo=None) for each in (newest, at, at)],
    )


def test_the_newest_event_is_taken_in_when_it_is_seen_first(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    assert newest_stored(warehouse, NOW) == Newest(None, None)
    receive(warehouse, 5)
    receive(warehouse, 3)

    assert newest_stored(warehouse, NOW) == Newest(NOON + timedelta(minutes=5), NOW)

    measured(warehouse, NOON + timedelta(minutes=5), NOW)
    later = NOW + timedelta(hours=1)
    assert newest_stored(warehouse, later) == Newest(NOON + timedelta(minutes=5), NOW)
    receive(warehouse, 7)
    assert newest_stored(warehouse, later) == Newest(NOON + timedelta(minutes=7), later)


def test_where_the_newest_event_was_withdrawn_it_is_the_one_before(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    receive(warehouse, 3)
    measured(warehouse, NOON + timedelta(minutes=5), NOW - timedelta(hours=1))

    assert newest_stored(warehouse, NOW) == Newest(NOON + timedelta(minutes=3), NOW)


def test_a_model_knows_the_events_up_to_the_batch_that_it_was_trained_on(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    assert newest_learned(warehouse) == Newest(None, None)
    receive(warehouse, 3, batch=1)
    receive(warehouse, 5, batch=2)
    for model, status, through in (
        ("recommender", "retired", 2),
        ("recommender", "champion", 1),
        ("segments", "champion", 2),
    ):
        trained_at, promoted_at = (
            (NOON + timedelta(hours=hours)).replace(tzinfo=None) for hours in (1, 2)
        )
        warehouse.execute(
            "insert into ml.model_versions by name select ? as model, ? as version, "
            "? as trained_at, 'manual' as trigger, '{}' as metrics, ? as status, '' as reason, "
            "? as promoted_at, ? as data_through",
            [model, f"{model}-{status}", trained_at, status, promoted_at, through],
        )

    assert newest_learned(warehouse) == Newest(
        NOON + timedelta(minutes=3), NOON + timedelta(hours=2)
    )
