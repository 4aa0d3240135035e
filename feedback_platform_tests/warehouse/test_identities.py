"""Whose an event is: what nobody known did on a device belongs to the user who is known later."""

from __future__ import annotations

from typing import Any

from feedback_platform_tests.warehouse.small_platform import SmallPlatform, event

OWNERS = "select event_id, user_id, is_identified from interaction.interactions order by event_id"


def on_device(event_id: str, hour: int, user_id: str | None, **fields: Any) -> dict[str, Any]:
    """A like of an item, on the device a1 unless told otherwise."""
    occurred_at = f"2026-03-01T{hour:02}:00:00Z"
    defaults = {"anonymous_id": "a1", "item_id": f"i-{event_id}"}
    return event(
        event_id,
        "item_liked",
        **{"user_id": user_id, "occurred_at": occurred_at, **defaults} | fields,
    )


def test_what_was_done_before_logging_in_is_the_users_afterwards(platform: SmallPlatform) -> None:
    platform.land(
        on_device("before", 10, None),
        on_device("elsewhere", 10, None, anonymous_id="a2"),
        object_id="1",
    )
    platform.process()
    assert platform.query(OWNERS) == [
        ("before", "anonymous:a1", False),
        ("elsewhere", "anonymous:a2", False),
    ]

    platform.land(on_device("login", 11, "ada"), object_id="2")
    platform.process()

    assert platform.query(OWNERS) == [
        ("before", "ada", False),
        ("elsewhere", "anonymous:a2", False),
        ("login", "ada", True),
    ]
    assert platform.query(
        "select user_id, item_id from feedback.feedback_scores order by item_id"
    ) == [("ada", "i-before"), ("anonymous:a2", "i-elsewhere"), ("ada", "i-login")]
    assert platform.query("select user_id, likes from features.user_features order by 1") == [
        ("ada", 2),
        ("anonymous:a2", 1),
    ]
    assert platform.query("select user_id from interaction.users order by 1") == [
        ("ada",),
        ("anonymous:a2",),
    ]
    assert platform.tables() == platform.rebuilt().stored()


def test_a_device_is_its_first_users_whoever_arrives_first(platform: SmallPlatform) -> None:
    platform.land(on_device("nobody", 9, None), on_device("second", 12, "bob"), object_id="1")
    platform.process()
    assert platform.query(OWNERS) == [("nobody", "bob", False), ("second", "bob", True)]

    platform.land(on_device("first", 11, "ada"), object_id="2")
    platform.process()

    assert platform.query(OWNERS) == [
        ("first", "ada", True),
        ("nobody", "ada", False),
        ("second", "bob", True),
    ]
    assert platform.tables() == platform.rebuilt().stored()


def test_an_alias_gives_a_device_to_a_user(platform: SmallPlatform) -> None:
    platform.land(on_device("before", 10, None), object_id="1")
    platform.process()
    alias = event("alias", "user_aliased", user_id="ada", properties={"previous_id": "a1"})
    platform.land(alias, object_id="2")
    platform.process()

    assert platform.query(OWNERS) == [("alias", "ada", True), ("before", "ada", False)]
    assert platform.tables() == platform.rebuilt().stored()


def test_nobody_becomes_another_known_user(platform: SmallPlatform) -> None:
    platform.land(on_device("hers", 10, "ada", anonymous_id=None), object_id="1")
    alias = event("alias", "user_aliased", user_id="eve", properties={"previous_id": "ada"})
    platform.land(alias, object_id="2")
    platform.process()

    assert platform.query(OWNERS) == [("alias", "eve", True), ("hers", "ada", True)]


def test_a_link_that_an_earlier_delivery_takes_back_is_gone(platform: SmallPlatform) -> None:
    platform.land(on_device("before", 10, None), object_id="1")
    platform.land(on_device("login", 11, "ada"), object_id="2")
    platform.process()
    assert platform.query(OWNERS)[0] == ("before", "ada", False)

    received_first = on_device(
        "login", 11, "ada", anonymous_id="a9", received_at="2026-03-02T11:00:00Z"
    )
    platform.land(received_first, object_id="0")
    platform.process()

    assert platform.query(OWNERS) == [
        ("before", "anonymous:a1", False),
        ("login", "ada", True),
    ]
    assert platform.tables() == platform.rebuilt().stored()
