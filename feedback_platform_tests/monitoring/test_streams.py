from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest

from feedback_platform.lake.store import Lake
from feedback_platform.monitoring.drift import DriftEvent, StreamState
from feedback_platform.monitoring.drift_state import list_events, load_states, save
from feedback_platform.monitoring.monitoring_rules import default_monitoring_rules
from feedback_platform.monitoring.streams import (
    MOST_VERSIONS,
    SETTLING,
    observations,
    settled,
    watch_streams,
)
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
                occurred_at timestamp, is_bot boolean, is_burst boolean,
                received_at timestamp, properties varchar, user_id varchar default 'u'
            );
            create table interaction.user_preferences (
                user_id varchar, personalisation boolean, research boolean
            );
            create schema feedback;
            create table feedback.user_feedback (
                feedback_id varchar, feedback_score double, confidence double,
                "timestamp" timestamp, signal varchar, raw_value double, is_imputed boolean,
                is_outlier boolean, user_id varchar default 'u'
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
        recommendation: str = "",
        item: str = "i",
        version: str | None = None,
    ) -> None:
        """Show an item at a minute; it may be clicked some minutes later, and that by a program."""
        shown, clicked = _at(minute), _at(minute + clicked_after)
        of = recommendation or f"r{minute}"
        properties = None if version is None else json.dumps({"model_version": version})
        rows: list[tuple[object, ...]] = [
            (
                f"s{minute}{item}",
                "item_impression",
                of,
                item,
                shown,
                False,
                False,
                shown,
                properties,
            )
        ]
        if is_clicked:
            flags = (is_bot, is_burst)
            rows.append(
                (f"c{minute}{item}", "item_clicked", of, item, clicked, *flags, clicked, None)
            )
        self.connection.executemany(
            "insert into interaction.interactions values (?, ?, ?, ?, ?, ?, ?, ?, ?, 'u')", rows
        )

    def show_many(self, first: int, last: int, *, every: int) -> None:
        """Show an item each minute; each so-many-th is clicked."""
        self.connection.execute(
            """
            insert into interaction.interactions
            select
                's' || n, 'item_impression', 'r' || n, 'i', ?::timestamp + to_minutes(n),
                false, false, ?::timestamp + to_minutes(n), '{"model_version": "v1"}', 'u'
            from range(?, ?) as numbers (n)
            union all
            select
                'c' || n, 'item_clicked', 'r' || n, 'i', ?::timestamp + to_minutes(n),
                false, false, ?::timestamp + to_minutes(n), null, 'u'
            from range(?, ?) as numbers (n) where n % ? = 0
            """,
            [START, START, first, last, START, START, first, last, every],
        )

    def score(
        self,
        minute: int,
        score: float,
        confidence: float = 1.0,
        *,
        signal: str = "like",
        raw_value: float | None = None,
        is_imputed: bool = False,
        is_outlier: bool = False,
    ) -> None:
        told = [signal, raw_value, is_imputed, is_outlier]
        self.connection.execute(
            "insert into feedback.user_feedback values (?, ?, ?, ?, ?, ?, ?, ?, 'u')",
            [f"f{minute}", score, confidence, _at(minute), *told],
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


def watch(lake: Lake, tables: Tables) -> list[DriftEvent]:
    until = settled(tables.query)
    rules = default_monitoring_rules()
    return [] if until is None else watch_streams(lake, tables.query, until, rules)


def stream(tables: Tables, name: str, first: int = -1, last: int = 100_000) -> list[float]:
    since, until = (_at(minute).replace(tzinfo=UTC) for minute in (first, last))
    return observations(tables.query, since, until)[name]["value"].to_list()


def test_an_impression_is_one_when_its_own_recommendation_was_clicked_soon_after(
    tables: Tables,
) -> None:
    tables.show(0)
    tables.show(1, is_clicked=True)
    tables.show(2, is_clicked=True, clicked_after=30)
    tables.show(3, is_clicked=True, clicked_after=31)

    assert stream(tables, "click_through") == [0, 1, 1, 0]


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
        "update interaction.interactions set is_burst = true where event_id = 's6i'"
    )

    assert stream(tables, "click_through") == [0, 0, 1]


@pytest.mark.parametrize("switched_off", [(False, True), (True, False)])
def test_what_users_do_who_switched_personalisation_or_research_off_is_no_observation(
    tables: Tables, switched_off: tuple[bool, bool]
) -> None:
    tables.show(0, is_clicked=True, version="v1")
    tables.score(0, 0.75)
    tables.connection.execute(
        "insert into interaction.user_preferences values ('u', ?, ?)", switched_off
    )

    read = observations(tables.query, *(_at(minute).replace(tzinfo=UTC) for minute in (-1, 9)))

    assert all(frame.is_empty() for frame in read.values())


def test_what_was_not_recommended_is_no_observation(tables: Tables) -> None:
    tables.show(0)
    tables.connection.execute("update interaction.interactions set recommendation_id = null")

    assert stream(tables, "click_through") == []


def test_the_scores_that_count_are_read_in_the_order_of_their_times(tables: Tables) -> None:
    tables.score(2, 0.25)
    tables.score(1, 0.75)
    tables.score(3, 0.5, confidence=0)

    assert stream(tables, "mean_score") == [0.75, 0.25]


def test_a_list_is_hit_when_one_of_its_items_is_clicked_soon_after_it_was_shown(
    tables: Tables,
) -> None:
    for minute, item, is_clicked in ((0, "a", False), (1, "b", True), (2, "c", True)):
        tables.show(minute, recommendation="r", item=item, is_clicked=is_clicked, version="v1")
    tables.show(3, recommendation="s", version="v1")
    tables.show(4, recommendation="t", version="v1", is_clicked=True, clicked_after=31)

    assert stream(tables, "model_hit_rate:v1") == [1, 0, 0]


def test_what_a_list_is_worth_is_known_by_the_version_of_its_model(tables: Tables) -> None:
    tables.show(0, version="v1")
    tables.show(1, version="v2", is_clicked=True)
    tables.show(2)

    assert stream(tables, "model_hit_rate:v1") == [0]
    assert stream(tables, "model_hit_rate:v2") == [1]
    assert stream(tables, "click_through") == [0, 1, 0]


def test_a_list_belongs_to_the_span_in_which_it_was_first_shown(tables: Tables) -> None:
    tables.show(0, recommendation="r", item="a", version="v1")
    tables.show(5, recommendation="r", item="b", version="v1", is_clicked=True)

    assert stream(tables, "model_hit_rate:v1", last=3) == [1]
    since, until = (_at(minute).replace(tzinfo=UTC) for minute in (3, 10))
    assert "model_hit_rate:v1" not in observations(tables.query, since, until)


def test_the_spread_is_the_distance_from_the_middle(tables: Tables) -> None:
    for minute, score in enumerate((0.5, 0.0, 1.0, 0.75)):
        tables.score(minute, score)

    assert stream(tables, "score_spread") == [0, 1, 1, 0.5]


def test_ratings_and_views_count_where_they_were_observed(tables: Tables) -> None:
    tables.score(0, 0.25, signal="rating", raw_value=2)
    tables.score(1, 0.5, signal="rating", is_imputed=True)
    tables.score(2, 0.5, signal="view", raw_value=0)
    tables.score(3, 0.5, signal="view", raw_value=1_800_000)
    tables.score(4, 0.5, signal="view", raw_value=9_000_000)
    tables.score(5, 0.5, signal="view", raw_value=1_000, is_outlier=True)
    tables.score(6, 0.5, signal="view", raw_value=41_436.6)

    assert stream(tables, "rating_mean") == [0.25]
    # ln(42.4366) is half of ln(1,801).
    assert stream(tables, "dwell") == pytest.approx([0, 1, 1, 0.5], abs=1e-4)


def test_a_clock_that_is_ahead_does_not_move_the_limit(tables: Tables, lake: Lake) -> None:
    tables.show(0)
    tables.show(60)
    tables.connection.execute(
        "insert into interaction.interactions select 'ahead', * exclude (event_id) replace "
        "(occurred_at + interval 1 year as occurred_at) "
        "from interaction.interactions where event_id = 's60i'"
    )

    assert settled(tables.query) == _at(30).replace(tzinfo=UTC)
    watch(lake, tables)
    assert load_states(lake).streams["click_through"].position == 1


def test_states_of_versions_that_were_not_seen_for_longest_are_given_up(
    tables: Tables, lake: Lake
) -> None:
    former = {
        f"model_hit_rate:v{number:02}": StreamState(f"model_hit_rate:v{number:02}", newest=number)
        for number in range(MOST_VERSIONS)
    }
    save(lake, {"mean_score": StreamState("mean_score"), **former}, [], position=0)
    tables.show(0, version="new")
    tables.show(60)

    watch(lake, tables)

    kept = load_states(lake).streams.keys()
    assert {"mean_score", "model_hit_rate:new", "model_hit_rate:v01"} <= kept
    assert "model_hit_rate:v00" not in kept


def test_a_span_leaves_out_its_beginning_and_takes_in_its_end(tables: Tables) -> None:
    for minute in range(4):
        tables.score(minute, minute / 10)

    assert stream(tables, "mean_score", 0, 2) == [0.1, 0.2]


def test_without_events_nothing_is_watched(tables: Tables, lake: Lake) -> None:
    assert watch(lake, tables) == []
    assert load_states(lake).position == 0


def test_what_has_not_settled_is_left_for_the_next_time(tables: Tables, lake: Lake) -> None:
    settling = SETTLING // timedelta(minutes=1)
    for minute in range(settling + 5):
        tables.show(minute)

    watch(lake, tables)

    # The newest impression is that of minute settling + 4; those of minutes 0 to 4 have settled.
    saved = load_states(lake)
    assert saved.streams["click_through"].position == 5
    assert saved.position == _at(4).replace(tzinfo=UTC).timestamp() * 1_000_000


def test_a_click_that_comes_in_with_the_next_batch_still_counts(tables: Tables, lake: Lake) -> None:
    tables.show(0, is_clicked=True, clicked_after=20)
    watch(lake, tables)
    assert load_states(lake).streams["click_through"].position == 0

    tables.show(60)
    watch(lake, tables)

    state = load_states(lake).streams["click_through"]
    assert (state.partial_count, state.partial_sum) == (1, 1)


def test_each_observation_is_taken_once(tables: Tables, lake: Lake) -> None:
    tables.show_many(0, 100, every=10)
    watch(lake, tables)
    before = load_states(lake)

    assert watch(lake, tables) == []
    assert load_states(lake) == before

    tables.show_many(100, 150, every=10)
    watch(lake, tables)
    assert load_states(lake).streams["click_through"].position == 150 - 30


def test_a_fall_of_the_click_through_is_found_once(tables: Tables, lake: Lake) -> None:
    tables.show_many(0, 6_000, every=5)
    assert watch(lake, tables) == []

    tables.show_many(6_000, 12_000, every=25)
    # One change, seen in both streams that are made of clicks.
    found = {event.stream: event for event in watch(lake, tables)}

    assert found.keys() == {"click_through", "model_hit_rate:v1"}
    event = found["click_through"]
    assert event.action == "retrain, alert"
    assert (event.before_mean, event.after_mean) == pytest.approx((0.2, 0.04), abs=0.02)
    assert event.detected_at > _at(6_000).replace(tzinfo=UTC)
    assert watch(lake, tables) == []
    assert set(list_events(lake)["event_id"]) == {event.event_id for event in found.values()}


def test_the_size_of_the_batches_does_not_decide_what_is_found(
    tables: Tables, tmp_path: Path
) -> None:
    at_once, in_pieces = Lake((tmp_path / "a").as_uri()), Lake((tmp_path / "b").as_uri())
    found: list[DriftEvent] = []
    for piece in range(12):
        every = 5 if piece < 6 else 25
        tables.show_many(piece * 1_000, (piece + 1) * 1_000, every=every)
        found += watch(in_pieces, tables)

    assert watch(at_once, tables) == found
    assert load_states(at_once) == load_states(in_pieces)
