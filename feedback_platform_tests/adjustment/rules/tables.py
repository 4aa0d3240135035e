"""The tables that metrics are read from, small enough to see through."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import polars as pl

from feedback_platform.adjustment.rules.definition import Scope
from feedback_platform.adjustment.rules.intervals import Sample
from feedback_platform.adjustment.rules.measurement import Span, measure
from feedback_platform.warehouse.published import relation_frame

START = datetime(2026, 3, 1, tzinfo=UTC)
WHOLE = Span(START - timedelta(hours=1), START + timedelta(days=2))
EVENT: dict[str, Any] = {
    "event_type": "item_impression",
    "user_id": "u",
    "item_id": "i",
    "session_id": "s",
    "recommendation_id": "r",
    "placement": "home",
    "properties": "{}",
    "value": None,
    "cleaned_value": None,
    "is_bot": False,
    "is_burst": False,
    "is_imputed": False,
    "is_outlier": False,
    "experiment_id": None,
    "variant": None,
}


class Tables:
    """What the metrics are read from."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._events = 0
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(
            """
            create schema interaction;
            create table interaction.interactions (
                event_id varchar, occurred_at timestamp, received_at timestamp,
                event_type varchar, user_id varchar, item_id varchar, session_id varchar,
                recommendation_id varchar, placement varchar, properties json,
                value double, cleaned_value double,
                is_bot boolean, is_burst boolean, is_imputed boolean, is_outlier boolean,
                experiment_id varchar, variant varchar
            );
            create table interaction.sessions (
                session_id varchar, user_id varchar, started_at timestamp, ended_at timestamp,
                duration_seconds double, is_bounce boolean
            );
            create table interaction.items (item_id varchar, categories varchar[]);
            create table interaction.user_preferences (
                user_id varchar, personalisation boolean, research boolean
            );
            create schema ml;
            create table ml.user_segments (user_id varchar, segment_id bigint);
            """
        )

    def happen(self, minute: float, **changes: Any) -> None:
        self._events += 1
        received_at = changes.pop("received_at", at(minute))
        row = [f"e{self._events}", at(minute), received_at, *{**EVENT, **changes}.values()]
        marks = ", ".join("?" * len(row))
        self._connection.execute(f"insert into interaction.interactions values ({marks})", row)

    def visit(self, minute: float, minutes: float, session: str = "s", **changes: Any) -> None:
        given = {"user_id": "u", "is_bounce": False, **changes}
        self._connection.execute(
            "insert into interaction.sessions values (?, ?, ?, ?, ?, ?)",
            [
                session, given["user_id"], at(minute), at(minute + minutes), minutes * 60,
                given["is_bounce"],
            ],
        )  # fmt: skip

    def insert(self, table: str, *row: Any) -> None:
        marks = ", ".join("?" * len(row))
        self._connection.execute(f"insert into {table} values ({marks})", list(row))

    def query(self, sql: str, parameters: list[Any]) -> pl.DataFrame:
        return relation_frame(self._connection, sql, parameters)

    def measured(
        self, metric: str, scope: Scope | None = None, span: Span = WHOLE
    ) -> dict[str, Sample]:
        """What was measured, by the places' values."""
        found = measure(self.query, metric, scope or {}, span)
        return {" ".join(place.values()): sample for place, sample in found}

    def fraction(self, metric: str) -> tuple[float, int]:
        (sample,) = self.measured(metric).values()
        return sample.total, sample.count


def at(minute: float) -> datetime:
    return (START + timedelta(minutes=minute)).replace(tzinfo=None)
