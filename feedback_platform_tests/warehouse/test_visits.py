"""Visits of senders who have no sessions: half an hour of silence, or midnight, ends them."""

from __future__ import annotations

from typing import Any

import pytest

from feedback_platform.warehouse.transformation import DbtProject
from feedback_platform_tests.warehouse.small_platform import Row, SmallPlatform, event

VISITS = "select session_id, events, duration_seconds from interaction.sessions order by started_at"


def at(time: str, **fields: Any) -> dict[str, Any]:
    """Looking at an item at a time of 1 March 2026, without a session."""
    moment = time if "T" in time else f"2026-03-01T{time}Z"
    user = fields.get("user_id", "u1")
    return event(f"e-{user}-{moment}", "item_viewed", item_id="i1", occurred_at=moment, **fields)


@pytest.fixture(scope="module")
def visited(tmp_path_factory: pytest.TempPathFactory, project: DbtProject) -> SmallPlatform:
    """Each user is one test's."""
    platform = SmallPlatform.at(tmp_path_factory.mktemp("visits"), project)
    catalogue = {"user_id": None, "item_id": "i1"}
    platform.land(
        *[at(time, user_id="silent") for time in ("12:00:00", "12:30:00", "13:00:00.001")],
        *[at(time, user_id="late") for time in ("23:59:00", "2026-03-02T00:01:00Z")],
        at("12:00:00", user_id="told", session_id="s1"),
        at("12:10:00", user_id="told"),
        event("u", "user_updated", user_id="reported", properties={"plan": "pro"}),
        event("i", "item_updated", **catalogue, properties={"title": "x"}),
        event("update", "item_updated", **catalogue, session_id="catalogue"),
        object_id="1",
    )
    platform.process()
    return platform


def visits_of(platform: SmallPlatform, user_id: str) -> list[Row]:
    return platform.query(
        "select session_id, events, duration_seconds from interaction.sessions "
        "where user_id = ? order by started_at",
        [user_id],
    )


def test_half_an_hour_of_silence_ends_a_visit(visited: SmallPlatform) -> None:
    assert visits_of(visited, "silent") == [
        ("visit:silent@2026-03-01T12:00:00.000000Z", 2, 1800.0),
        ("visit:silent@2026-03-01T13:00:00.001000Z", 1, 0.0),
    ]


def test_midnight_ends_a_visit(visited: SmallPlatform) -> None:
    assert [row[1] for row in visits_of(visited, "late")] == [1, 1]


def test_a_late_event_joins_two_visits_and_an_earlier_one_renames_them(
    platform: SmallPlatform,
) -> None:
    platform.land(at("12:00:00"), at("12:50:00"), at("18:00:00"), object_id="1")
    platform.process()
    assert len(platform.query(VISITS)) == 3

    platform.land(at("12:25:00"), object_id="2")
    platform.process()
    assert platform.query(VISITS) == [
        ("visit:u1@2026-03-01T12:00:00.000000Z", 3, 3000.0),
        ("visit:u1@2026-03-01T18:00:00.000000Z", 1, 0.0),
    ]
    assert platform.tables() == platform.rebuilt("once").stored()

    platform.land(at("11:59:00"), object_id="3")
    platform.process()
    assert platform.query(VISITS)[0] == ("visit:u1@2026-03-01T11:59:00.000000Z", 4, 3060.0)
    assert platform.tables() == platform.rebuilt("twice").stored()


def test_a_session_that_was_sent_stays_as_it_is(visited: SmallPlatform) -> None:
    assert visited.query(
        "select session_id, is_session_inferred from interaction.interactions "
        "where user_id = 'told' order by occurred_at"
    ) == [("s1", False), ("visit:told@2026-03-01T12:10:00.000000Z", True)]


def test_what_programs_report_and_a_session_without_a_user_are_no_visit(
    visited: SmallPlatform,
) -> None:
    users = visited.query("select distinct user_id from interaction.sessions order by 1")

    assert users == [("late",), ("silent",), ("told",)]


def test_the_visit_follows_the_device_to_its_user(platform: SmallPlatform) -> None:
    platform.land(at("12:00:00", user_id=None, anonymous_id="a1"), object_id="1")
    platform.process()
    platform.land(at("12:05:00", user_id="ada", anonymous_id="a1"), object_id="2")
    platform.process()

    assert platform.query(VISITS) == [("visit:ada@2026-03-01T12:00:00.000000Z", 2, 300.0)]
    assert platform.tables() == platform.rebuilt().stored()
