"""Users made up at random: what each did as rows of the tables, and what it comes to, one a row.

Both are written down while they live, so neither is computed from the other.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta
from typing import Any

import duckdb
import numpy as np
import polars as pl

from feedback_platform.warehouse.experiment_tables import ExperimentTables
from feedback_platform_tests.adjustment.rules.tables import START, Tables

DAY = timedelta(days=1)
WINDOW = 7 * DAY
FIGURES = ("clicks", "bought", "revenue", "visits", "bounced", "shown", "answered", "later")


class People:
    """Users of whom two of three meet an experiment within ten days from the start.

    Args:
        seed: of what they do.
        users: how many.
        experiment_id: what they meet.
    """

    def __init__(self, seed: int, users: int, experiment_id: str) -> None:
        self._random = np.random.default_rng(seed)
        self._experiment_id = experiment_id
        self._events: list[dict[str, Any]] = []
        self._sessions: list[dict[str, Any]] = []
        self._rows: list[dict[str, Any]] = []
        for number in range(users):
            life = _Life(f"u{number}", START + DAY * self._random.uniform(0, 10))
            self._live(life)
            if number % 3:
                self._meet(life, ("grid", "cards")[number % 3 - 1])

    def settle(self, connection: duckdb.DuckDBPyConnection) -> ExperimentTables:
        """Fill the tables with what they did."""
        Tables(connection)
        numbered = pl.DataFrame(self._events, infer_schema_length=None).with_row_index("number")
        at = pl.col("occurred_at").dt.replace_time_zone(None)
        events = numbered.with_columns(
            pl.format("e{}", "number").alias("event_id"),
            occurred_at=at,
            received_at=at,
            item_id=pl.lit("i"),
            properties=pl.lit("{}"),
            is_bot=pl.lit(value=False),
            is_burst=pl.lit(value=False),
        ).drop("number")
        sessions = pl.DataFrame(self._sessions).with_columns(
            pl.col("started_at", "ended_at").dt.replace_time_zone(None)
        )
        for table, rows in (("interactions", events), ("sessions", sessions)):
            connection.register("rows", rows.to_arrow())
            connection.execute(f"insert into interaction.{table} by name from rows")
            connection.unregister("rows")
        return ExperimentTables(connection)

    def users(self) -> pl.DataFrame:
        """What each exposed user did since the first exposure, and in the week before it."""
        return pl.DataFrame(self._rows, infer_schema_length=None).with_columns(
            converted=(pl.col("bought") > 0).cast(pl.Float64),
            converted_before=(pl.col("bought_before") > 0).cast(pl.Float64),
            later=(pl.col("later") > 0).cast(pl.Float64),
            later_before=(pl.col("days_before") > 1).cast(pl.Float64),
        )

    def _meet(self, life: _Life, variant: str) -> None:
        met = {"experiment_id": self._experiment_id, "variant": variant}
        again = life.exposed_at + DAY * self._random.uniform(0, 2)
        for at in (again, life.exposed_at, life.exposed_at):
            self._do(life, "experiment_exposed", at, **met)
        self._rows.append({"variant": variant, **life.row()})

    def _live(self, life: _Life) -> None:
        for visit in range(self._random.integers(0, 12)):
            begins = START + DAY * self._random.uniform(-12, 14)
            ends = begins + timedelta(minutes=float(self._random.uniform(1, 30)))
            session = f"{life.user_id}-{visit}"
            is_bounce = bool(self._random.integers(2))
            self._sessions.append(
                {
                    "session_id": session,
                    "user_id": life.user_id,
                    "started_at": begins,
                    "ended_at": ends,
                    "duration_seconds": (ends - begins).total_seconds(),
                    "is_bounce": is_bounce,
                }
            )
            life.note(ends, visits=1, bounced=is_bounce)
            life.come(ends)
            for shown in range(self._random.integers(0, 4)):
                at = begins + (ends - begins) * self._random.uniform()
                self._see(life, at, f"{session}-{shown}")

    def _see(self, life: _Life, at: datetime, list_id: str) -> None:
        is_clicked = self._random.uniform() < 0.4
        self._do(life, "item_impression", at, recommendation_id=list_id)
        life.note(at, shown=1, answered=is_clicked)
        if is_clicked:
            clicked_at = at + timedelta(minutes=float(self._random.uniform(0, 29)))
            self._do(life, "item_clicked", clicked_at, recommendation_id=list_id)
            life.note(clicked_at, clicks=1)
        if self._random.uniform() < 0.2:
            price = float(self._random.integers(1, 50))
            self._do(life, "item_converted", at, value=price)
            life.note(at, bought=1, revenue=price)

    def _do(self, life: _Life, event_type: str, at: datetime, **given: Any) -> None:
        event = {"user_id": life.user_id, "event_type": event_type, "occurred_at": at}
        self._events.append(event | given)


class _Life:
    """What a user did since the first exposure, and in the week before it."""

    def __init__(self, user_id: str, exposed_at: datetime) -> None:
        self.user_id = user_id
        self.exposed_at = exposed_at
        self._since: defaultdict[str, float] = defaultdict(float)
        self._past: defaultdict[str, float] = defaultdict(float)
        self._days: set[date] = set()

    def note(self, at: datetime, **figures: float) -> None:
        for name, figure in figures.items():
            if at >= self.exposed_at:
                self._since[name] += figure
            elif at >= self.exposed_at - WINDOW:
                self._past[name] += figure

    def come(self, at: datetime) -> None:
        if at >= self.exposed_at:
            self._since["later"] += at.date() > self.exposed_at.date()
        elif at >= self.exposed_at - WINDOW:
            self._days.add(at.date())

    def row(self) -> dict[str, float]:
        past = {f"{name}_before": self._past[name] for name in FIGURES}
        since = {name: self._since[name] for name in FIGURES}
        return {**since, **past, "days_before": float(len(self._days))}
