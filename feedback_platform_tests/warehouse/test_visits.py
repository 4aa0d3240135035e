"""Visits of senders who have no sessions: half an hour of silence, or midnight, ends them."""

from __future__ import annotations

from typing import Any

from feedback_platform_tests.warehouse.small_platform import SmallPlatform, event

VISITS = "select session_id, events, duration_seconds from interaction.sessions order by started_at"


def at(time: str, **fields: Any) -> dict[str, Any]:
    """Looking at an item at a time of 1 March 2026, without a session."""
    moment = time if "T" in time else f"2026-03-01T{time}Z"
    return event(f"e-{moment}", "item_viewed", item_id="i1", occurred_at=moment, **fields)


def test_half_an_hour_of_silence_ends_a_visit(platform: SmallPlatform) -> None:
    platform.land(at("12:00:00"), at("12:30:00"), at("13:00:00.001"), object_id="1")
    platform.process()

    assert platform.query(VISITS) == [
        ("visit:u1@2026-03-01T12:00:00.000000Z", 2, 1800.0),
        ("visit:u1@2026-03-01T13:00:00.001000Z", 1, 0.0),
    ]


def test_midnight_ends_a_visit(platform: SmallPlatform) -> None:
    platform.land(at("23:59:00"), at("2026-03-02T00:01:00Z"), object_id="1")
    platform.process()

    assert [row[1] for row in platform.query(VISITS)] == [1, 1]


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


def test_a_session_that_was_sent_stays_as_it_is(platform: SmallPlatform) -> None:
    platform.land(at("12:00:00", session_id="s1"), at("12:10:00"), object_id="1")
    platform.process()

    assert platform.query(
        "select session_id, is_session_inferred from interaction.interactions order by occurred_at"
    ) == [("s1", False), ("visit:u1@2026-03-01T12:10:00.000000Z", True)]


def test_what_programs_report_is_no_visit(platform: SmallPlatform) -> None:
    platform.land(
        event("u", "user_updated", properties={"plan": "pro"}),
        event("i", "item_updated", user_id=None, item_id="i1", properties={"title": "x"}),
        object_id="1",
    )
    platform.process()

    assert platform.query(VISITS) == []


def test_the_visit_follows_the_device_to_its_user(platform: SmallPlatform) -> None:
    platform.land(at("12:00:00", user_id=None, anonymous_id="a1"), object_id="1")
    platform.process()
    platform.land(at("12:05:00", user_id="ada", anonymous_id="a1"), object_id="2")
    platform.process()

    assert platform.query(VISITS) == [("visit:ada@2026-03-01T12:00:00.000000Z", 2, 300.0)]
    assert platform.tables() == platform.rebuilt().stored()


def test_a_session_in_which_no_user_was_is_no_visit(platform: SmallPlatform) -> None:
    update = event("update", "item_updated", user_id=None, item_id="i1", session_id="catalogue")
    platform.land(update, at("12:00:00", session_id="s1"), object_id="1")
    platform.process()

    assert platform.query(VISITS) == [("s1", 1, 0.0)]
