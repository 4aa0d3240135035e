"""What measuring reads, from tables as they are published; two of them by a slow oracle."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import combinations
from statistics import mean, stdev
from typing import Any

import duckdb
import numpy as np
import pytest

from feedback_platform.warehouse import measuring_tables

NOON = datetime(2026, 3, 2, 12)  # noqa: DTZ001 - the warehouse keeps UTC without saying so
DAY = NOON.date()


class Tables:
    """The published tables that are read, with what a test puts into them."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self._events = 0
        connection.execute(
            """
            create schema interaction;
            create schema feedback;
            create table interaction.interactions (
                event_id varchar, event_type varchar, user_id varchar, item_id varchar,
                session_id varchar, occurred_at timestamp, day date, value double,
                propensity double, properties json, is_bot boolean, is_burst boolean,
                received_at timestamp
            );
            create schema metrics;
            create table metrics.quarantine_daily (day date, reason varchar, events bigint);
            create table interaction.user_preferences (
                user_id varchar, personalisation boolean, research boolean, signals_off varchar[]
            );
            create table interaction.items (
                item_id varchar, first_seen_at timestamp, categories varchar[]
            );
            create table feedback.user_feedback (
                user_id varchar, signal varchar, feedback_score double, confidence double,
                is_imputed boolean, is_outlier boolean, "timestamp" timestamp
            );
            """
        )

    def happen(self, event_type: str, user: str | None = "ann", **facts: Any) -> None:
        self._events += 1
        at: datetime = facts.get("at", NOON)
        row = [
            f"e{self._events}", event_type, user, facts.get("item"), facts.get("session", "s1"), at,
            at.date(), facts.get("value"), facts.get("propensity"), facts.get("properties"),
            facts.get("is_bot", False), facts.get("is_burst", False), at,
        ]  # fmt: skip
        self.connection.execute(
            "insert into interaction.interactions values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        )

    def give(self, signal: str, score: float, user: str = "ann", **facts: Any) -> None:
        self.connection.execute(
            "insert into feedback.user_feedback values (?, ?, ?, ?, ?, ?, ?)",
            [
                user, signal, score, facts.get("confidence", 0.5), facts.get("is_imputed", False),
                facts.get("is_outlier", False), facts.get("at", NOON),
            ],
        )  # fmt: skip

    def allow(
        self, user: str, *, personalisation: bool = True, research: bool = True, off: str = ""
    ) -> None:
        self.connection.execute(
            "insert into interaction.user_preferences values (?, ?, ?, ?)",
            [user, personalisation, research, off.split()],
        )

    def describe(self, item: str, *categories: str) -> None:
        self.connection.execute(
            "insert into interaction.items values (?, ?, ?)", [item, NOON, list(categories)]
        )

    def days(self, as_of: date = DAY + timedelta(days=1), days: int = 10) -> list[tuple[Any, ...]]:
        return measuring_tables.signal_days(self.connection, as_of, days).rows()


@pytest.fixture
def tables() -> Iterator[Tables]:
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        yield Tables(connection)


def test_visits_conversions_answers_and_feedback_are_counted_by_user_and_day(
    tables: Tables,
) -> None:
    for session in ("s1", "s1", "s2"):
        tables.happen("item_viewed", session=session)
    tables.happen("item_converted")
    tables.happen("survey_answered", value=9, properties='{"survey": "nps"}')
    tables.happen("survey_answered", value=4, properties='{"survey": "csat"}')
    tables.happen("user_updated", session="s9")
    tables.give("rating", 0.8)
    tables.give("rating", 0.4)

    assert tables.days() == [
        ("ann", DAY, "converted", 1, 0.0),
        ("ann", DAY, "nps", 1, 0.9),
        ("ann", DAY, "rating", 2, pytest.approx(1.2)),
        ("ann", DAY, "visit", 2, 0.0),
    ]


def test_what_is_imputed_an_outlier_or_not_believed_is_no_signal(tables: Tables) -> None:
    tables.give("view", 0.5, is_imputed=True)
    tables.give("view", 0.5, is_outlier=True)
    tables.give("view", 0.5, confidence=0.0)

    assert tables.days() == []


def test_who_opted_out_and_who_is_no_person_takes_no_part(tables: Tables) -> None:
    tables.allow("bob", personalisation=False)
    tables.allow("cyd", research=False)
    tables.allow("dan", off="click")
    for user in ("bob", "cyd", "dan", None):
        tables.happen("item_viewed", user)
        tables.happen("item_impression", user, item="a", propensity=0.1)
        tables.happen("item_clicked", user, item="a")
    tables.happen("item_clicked", "eva", item="a", is_bot=True)
    tables.happen("item_impression", "eva", item="a", is_burst=True)
    tables.give("rating", 0.8, "bob")
    tables.give("rating", 0.8, "cyd")

    assert tables.days() == [("dan", DAY, "visit", 1, 0.0)]
    assert measuring_tables.signals_off(tables.connection).rows() == [("dan", "click")]
    (shown,) = measuring_tables.shown_days(tables.connection).to_dicts()
    assert (shown["impressions"], shown["users"]) == (1, 1)
    assert measuring_tables.chosen_items(tables.connection).rows() == [(DAY, "a", 1)]


def test_the_days_are_those_before_the_one_that_is_not_over(tables: Tables) -> None:
    for days in (0, 1, 10, 11):
        tables.happen("item_viewed", at=NOON - timedelta(days=days))

    seen = [day for _, day, *_ in tables.days(as_of=DAY)]

    assert seen == [DAY - timedelta(days=10), DAY - timedelta(days=1)]
    assert measuring_tables.newest_day(tables.connection) == DAY


def test_of_nothing_there_is_no_newest_day_and_nothing_to_read(tables: Tables) -> None:
    assert measuring_tables.newest_day(tables.connection) is None
    assert tables.days() == []
    assert measuring_tables.shown_days(tables.connection).is_empty()


def test_how_alike_users_are_shown_is_what_counting_every_pair_comes_to(tables: Tables) -> None:
    """Items of none, one or two categories, users with one impression and with several."""
    categories = {"a": ["x"], "b": ["x", "y"], "c": ["y"], "d": ["z", "x"], "plain": []}
    for item, names in categories.items():
        tables.describe(item, *names)
    random = np.random.default_rng(11)
    seen: defaultdict[str, list[str]] = defaultdict(list)
    for _ in range(60):
        user, item = f"u{random.integers(9)}", str(random.choice(list(categories)))
        seen[user].append(item)
        chance = float(random.random())
        tables.happen("item_impression", user, item=item, propensity=chance)
    tables.happen("item_impression", "lone", item="a")

    def alike(one: str, other: str) -> float:
        first, second = Counter(categories[one]), Counter(categories[other])
        both = sum(first[name] * second[name] for name in first)
        return both / (len(categories[one]) * len(categories[other]))

    of_users = []
    for items in seen.values():
        pairs = list(combinations([item for item in items if categories[item]], 2))
        if pairs:
            of_users.append(mean(alike(*pair) for pair in pairs))
    (found,) = measuring_tables.shown_days(tables.connection).to_dicts()

    assert found["seers"] == len(of_users)
    assert found["concentration"] == pytest.approx(mean(of_users))
    assert found["deviation"] == pytest.approx(stdev(of_users))
    assert (found["impressions"], found["users"], found["logged"]) == (61, len(seen) + 1, 60)
    (unlikely,) = tables.connection.execute(
        "select count(*) from interaction.interactions where propensity < 0.5"
    ).fetchall()
    assert found["unlikely"] == unlikely[0]


def test_what_users_chose_counts_each_of_them_once_a_day_and_item(tables: Tables) -> None:
    for event_type in ("item_clicked", "item_liked", "item_used", "item_viewed", "item_dismissed"):
        tables.happen(event_type, item="a")
    tables.happen("item_rated", "bob", item="a")
    tables.happen("item_viewed", "bob", item="b")
    tables.happen("item_impression", "bob", item="b")

    assert measuring_tables.chosen_items(tables.connection).rows() == [(DAY, "a", 2)]
    assert measuring_tables.shown_items(tables.connection).rows() == [(DAY, "b", 1)]


def test_what_came_in_is_what_was_accepted_and_what_was_rejected(tables: Tables) -> None:
    tables.happen("item_viewed")
    tables.happen("item_viewed", is_bot=True)
    tables.connection.execute(
        "insert into metrics.quarantine_daily values (?, 'a', 2), (?, 'b', 1), (?, 'a', 4)",
        [DAY, DAY, DAY + timedelta(days=1)],
    )

    assert measuring_tables.received_days(tables.connection).rows() == [
        (DAY, 5, 3),
        (DAY + timedelta(days=1), 4, 4),
    ]
