from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest

from feedback_platform.lake.store import Lake
from feedback_platform.monitoring.drift import DriftEvent
from feedback_platform.monitoring.drift_state import list_events, load_states
from feedback_platform.monitoring.streams import SETTLING, STREAMS, watch_streams
from feedback_platform.warehouse.published import relation_frame

START = datetime(2026, 3, 1)  # noqa: DTZ001 - the warehouse keeps UTC without saying so


class Tables:
    """The two tables that the streams are read from."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(
            """
            create schema interaction;
            create table interaction.interactions (
                event_id varchar, event_type varchar, recommendation_id varchar, item_id varchar,
                occurred_at timestamp, is_bot boolean, is_burst boolean
            );
            create schema feedback;
            create table feedback.user_feedback (
                feedback_id varchar, feedback_score double, confidence double, "timestamp" timestamp
            );
            """
        )

    def show(
        self,
        minute: int,
        *,
        is_clicked: bool = False,
        clicked_after: int = 1,
        is_bot: bool = False,
        is_burst: bool = False,
    ) -> None:
        """Show an item at a minute; it may be clicked some minutes later, and that by a program."""
        rows = [(f"s{minute}", "item_impression", f"r{minute}", "i", _at(minute), False, False)]
        if is_clicked:
            clicked = _at(minute + clicked_after)
            flags = (is_bot, is_burst)
            rows.append((f"c{minute}", "item_clicked", f"r{minute}", "i", clicked, *flags))
        self.connection.executemany(
            "insert into interaction.interactions values (?, ?, ?, ?, ?, ?, ?)", rows
        )

    def show_many(self, first: int, last: int, *, every: int) -> None:
        """Show an item each minute; each so-many-th is clicked."""
        self.connection.execute(
            """
            insert into interaction.interactions
            select
                's' || n, 'item_impression', 'r' || n, 'i', ?::timestamp + to_minutes(n),
                false, false
            from range(?, ?) as numbers (n)
            union all
            select
                'c' || n, 'item_clicked', 'r' || n, 'i', ?::timestamp + to_minutes(n), false, false
            from range(?, ?) as numbers (n) where n % ? = 0
            """,
            [START, first, last, START, first, last, every],
        )

    def score(self, minute: int, score: float, confidence: float = 1.0) -> None:
        self.connection.execute(
            "insert into feedback.user_feedback values (?, ?, ?, ?)",
            [f"f{minute}", score, confidence, _at(minute)],
        )

    def query(self, sql: str, span: list[datetime]) -> pl.DataFrame:
        return relation_frame(self.connection, sql, span)


def _at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


@pytest.fixture
def tables() -> Iterator[Tables]:
    with duckdb.connect() as connection:
        yield Tables(connection)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path.as_uri())


def stream(tables: Tables, name: str, first: int = -1, last: int = 100_000) -> list[float]:
    return tables.query(STREAMS[name], [_at(first), _at(last)])["value"].to_list()


def test_an_impression_is_one_when_its_own_recommendation_was_clicked(tables: Tables) -> None:
    tables.show(0)
    tables.show(1, is_clicked=True)
    tables.show(2, is_clicked=True, clicked_after=500)

    assert stream(tables, "click_through") == [0, 1, 1]


def test_an_impression_counts_once_however_often_it_is_clicked(tables: Tables) -> None:
    tables.show(0, is_clicked=True)
    tables.connection.execute(
        "insert into interaction.interactions select 'again', * exclude (event_id) "
        "from interaction.interactions where event_type = 'item_clicked'"
    )

    assert stream(tables, "click_through") == [1]


def test_clicks_and_impressions_of_programs_do_not_count(tables: Tables) -> None:
    tables.show(0, is_clicked=True, is_bot=True)
    tables.show(2, is_clicked=True, is_burst=True)
    tables.show(4, is_clicked=True)
    tables.show(6, is_clicked=True)
    tables.connection.execute(
        "update interaction.interactions set is_burst = true where event_id = 's6'"
    )

    assert stream(tables, "click_through") == [0, 0, 1]


def test_the_scores_that_count_are_read_in_the_order_of_their_times(tables: Tables) -> None:
    tables.score(2, 0.25)
    tables.score(1, 0.75)
    tables.score(3, 0.5, confidence=0)

    assert stream(tables, "mean_score") == [0.75, 0.25]


def test_a_span_leaves_out_its_beginning_and_takes_in_its_end(tables: Tables) -> None:
    for minute in range(4):
        tables.score(minute, minute / 10)

    assert stream(tables, "mean_score", 0, 2) == [0.1, 0.2]


def test_without_events_nothing_is_watched(tables: Tables, lake: Lake) -> None:
    assert watch_streams(lake, tables.query) == []
    assert load_states(lake).position == 0


def test_what_has_not_settled_is_left_for_the_next_time(tables: Tables, lake: Lake) -> None:
    settling = SETTLING // timedelta(minutes=1)
    for minute in range(settling + 5):
        tables.show(minute)

    watch_streams(lake, tables.query)

    # The newest impression is that of minute settling + 4; those of minutes 0 to 4 have settled.
    saved = load_states(lake)
    assert saved.streams["click_through"].position == 5
    assert saved.position == _at(4).replace(tzinfo=UTC).timestamp() * 1_000_000


def test_a_click_that_comes_in_with_the_next_batch_still_counts(tables: Tables, lake: Lake) -> None:
    tables.show(0, is_clicked=True, clicked_after=20)
    watch_streams(lake, tables.query)
    assert load_states(lake).streams["click_through"].position == 0

    tables.show(60)
    watch_streams(lake, tables.query)

    state = load_states(lake).streams["click_through"]
    assert (state.partial_count, state.partial_sum) == (1, 1)


def test_each_observation_is_taken_once(tables: Tables, lake: Lake) -> None:
    tables.show_many(0, 100, every=10)
    watch_streams(lake, tables.query)
    before = load_states(lake)

    assert watch_streams(lake, tables.query) == []
    assert load_states(lake) == before

    tables.show_many(100, 150, every=10)
    watch_streams(lake, tables.query)
    assert load_states(lake).streams["click_through"].position == 150 - 30


def test_a_fall_of_the_click_through_is_found_once(tables: Tables, lake: Lake) -> None:
    tables.show_many(0, 6_000, every=5)
    assert watch_streams(lake, tables.query) == []

    tables.show_many(6_000, 12_000, every=25)
    (event,) = watch_streams(lake, tables.query)

    assert event.stream == "click_through"
    assert (event.before_mean, event.after_mean) == pytest.approx((0.2, 0.04), abs=0.02)
    assert event.detected_at > _at(6_000).replace(tzinfo=UTC)
    assert watch_streams(lake, tables.query) == []
    assert list_events(lake)["event_id"].to_list() == [event.event_id]


def test_the_size_of_the_batches_does_not_decide_what_is_found(
    tables: Tables, tmp_path: Path
) -> None:
    at_once, in_pieces = Lake((tmp_path / "a").as_uri()), Lake((tmp_path / "b").as_uri())
    found: list[DriftEvent] = []
    for piece in range(12):
        every = 5 if piece < 6 else 25
        tables.show_many(piece * 1_000, (piece + 1) * 1_000, every=every)
        found += watch_streams(in_pieces, tables.query)

    assert watch_streams(at_once, tables.query) == found
    assert load_states(at_once) == load_states(in_pieces)
