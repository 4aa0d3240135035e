"""Whose an event is: what nobody known did on a device belongs to the user who is known later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from feedback_platform.warehouse.transformation import DbtProject
from feedback_platform_tests.warehouse.small_platform import Row, SmallPlatform, event


def on_device(name: str, hour: int, user_id: str | None, **fields: Any) -> dict[str, Any]:
    """A like of an item; the name is that of the test's device and of the event."""
    device, _, _ = name.partition(" ")
    occurred_at = f"2026-03-01T{hour:02}:00:00Z"
    defaults = {"anonymous_id": device, "item_id": f"i-{name}"}
    return event(
        name, "item_liked", **{"user_id": user_id, "occurred_at": occurred_at, **defaults} | fields
    )


def alias(name: str, user_id: str, previous_id: str) -> dict[str, Any]:
    return event(name, "user_aliased", user_id=user_id, properties={"previous_id": previous_id})


# Each test has devices and users of its own; the delivery "0" was received before the others.
FIRST = {
    "1": [
        on_device("login before", 10, None),
        on_device("login elsewhere", 10, None, anonymous_id="another"),
        on_device("shared nobody", 9, None),
        on_device("shared second", 12, "bob"),
        on_device("aliased before", 10, None),
        on_device("known hers", 10, "may", anonymous_id=None),
        on_device("corrected before", 10, None),
    ],
    "2": [alias("known alias", "eve", "may"), on_device("corrected login", 11, "cher")],
}
THEN = {
    "0": [
        on_device(
            "corrected login", 11, "cher", anonymous_id="a9", received_at="2026-03-02T11:00:00Z"
        )
    ],
    "3": [
        on_device("login login", 11, "ada"),
        on_device("shared first", 11, "sue"),
        alias("aliased alias", "ian", "aliased"),
    ],
}


@dataclass(frozen=True)
class Told:
    """What readers saw after the first deliveries, and after all of them."""

    first: SmallPlatform
    then: SmallPlatform


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, project: DbtProject) -> Told:
    directory = tmp_path_factory.mktemp("identities")
    platform = SmallPlatform.at(directory / "platform", project)
    _process(platform, FIRST)
    first = platform.seen_now(directory / "first")
    _process(platform, THEN)
    return Told(first, platform)


def _process(platform: SmallPlatform, deliveries: dict[str, list[dict[str, Any]]]) -> None:
    for object_id, lines in deliveries.items():
        platform.land(*lines, object_id=object_id)
    platform.process()


def owners(platform: SmallPlatform, name: str) -> list[Row]:
    """The events of a test, whose they are, and whether they came with that user."""
    return platform.query(
        "select event_id, user_id, is_identified from interaction.interactions "
        "where starts_with(event_id, ?) order by event_id",
        [f"{name} "],
    )


def test_what_was_done_before_logging_in_is_the_users_afterwards(told: Told) -> None:
    assert owners(told.first, "login") == [
        ("login before", "anonymous:login", False),
        ("login elsewhere", "anonymous:another", False),
    ]
    assert owners(told.then, "login") == [
        ("login before", "ada", False),
        ("login elsewhere", "anonymous:another", False),
        ("login login", "ada", True),
    ]
    assert told.then.query(
        "select user_id, item_id from feedback.feedback_scores "
        "where starts_with(item_id, 'i-login') order by item_id"
    ) == [
        ("ada", "i-login before"),
        ("anonymous:another", "i-login elsewhere"),
        ("ada", "i-login login"),
    ]
    theirs = "where user_id in ('ada', 'anonymous:another', 'anonymous:login') order by 1"
    assert told.then.query(f"select user_id, likes from features.user_features {theirs}") == [
        ("ada", 2),
        ("anonymous:another", 1),
    ]
    assert told.then.query(f"select user_id from interaction.users {theirs}") == [
        ("ada",),
        ("anonymous:another",),
    ]


def test_a_device_is_its_first_users_whoever_arrives_first(told: Told) -> None:
    assert owners(told.first, "shared") == [
        ("shared nobody", "bob", False),
        ("shared second", "bob", True),
    ]
    assert owners(told.then, "shared") == [
        ("shared first", "sue", True),
        ("shared nobody", "sue", False),
        ("shared second", "bob", True),
    ]


def test_an_alias_gives_a_device_to_a_user(told: Told) -> None:
    assert owners(told.first, "aliased") == [("aliased before", "anonymous:aliased", False)]
    assert owners(told.then, "aliased") == [
        ("aliased alias", "ian", True),
        ("aliased before", "ian", False),
    ]


def test_nobody_becomes_another_known_user(told: Told) -> None:
    expected = [("known alias", "eve", True), ("known hers", "may", True)]

    assert owners(told.first, "known") == owners(told.then, "known") == expected


def test_a_link_that_an_earlier_delivery_takes_back_is_gone(told: Told) -> None:
    assert owners(told.first, "corrected")[0] == ("corrected before", "cher", False)
    assert owners(told.then, "corrected") == [
        ("corrected before", "anonymous:corrected", False),
        ("corrected login", "cher", True),
    ]


def test_the_tables_are_those_of_a_warehouse_that_heard_everything_at_once(told: Told) -> None:
    assert told.then.tables() == told.then.rebuilt().stored()
