from __future__ import annotations

import math

import pytest

from feedback_platform.learning.online.people import STRANGER
from feedback_platform.learning.online.records import SessionEvent
from feedback_platform.learning.online.session import NO_SESSION, Session, session_of
from feedback_platform_tests.learning.online.world import RULES

NOW = 1_767_000_000.0
HOUR = 3_600
ROWS = {"film": 0, "song": 1}


def session(*events: SessionEvent, now: float = NOW) -> Session:
    return session_of(events, STRANGER, ROWS, RULES, threshold=0.5, now=now)


@pytest.mark.parametrize(
    ("event_type", "value"),
    [
        ("item_viewed", -5.0),
        ("item_viewed", math.nan),
        ("item_used", -1.0),
        ("item_used", math.inf),
        ("item_converted", -math.inf),
        ("item_rated", None),
        ("item_rated", 0.0),
        ("item_rated", 7.0),
        ("item_rated", math.nan),
    ],
)
def test_an_event_with_a_value_that_cleaning_refuses_says_nothing(
    event_type: str, value: float | None
) -> None:
    assert RULES.piece(SessionEvent(event_type, "film", value, NOW)) is None
    assert session(SessionEvent(event_type, "film", value, NOW)) == NO_SESSION


@pytest.mark.parametrize("at", [NOW + 1, math.inf, -math.inf, math.nan, -1.0, -1e300])
def test_an_event_of_no_time_that_can_be_is_left_out(at: float) -> None:
    beside = SessionEvent("item_clicked", "film", None, NOW)
    found = session(SessionEvent("item_liked", "film", None, at), beside)
    assert found == session(beside)
    assert [(each.item, each.is_liked) for each in found.taken] == [(0, True)]


def test_a_click_is_of_the_newest_impression_also_while_that_is_not_settled() -> None:
    first, second, click = NOW - 65 * 60, NOW - 10 * 60, NOW - 9 * 60
    shown = [SessionEvent("item_impression", "film", None, at) for at in (first, second)]
    clicked = SessionEvent("item_clicked", "film", None, click)

    assert session(clicked, *shown).shown == ((0, int(first) + HOUR, False),)
    later = session(clicked, *shown, now=NOW + HOUR)
    assert later.shown == ((0, int(first) + HOUR, False), (0, int(second) + HOUR, True))


def test_a_click_at_the_instant_of_its_impression_is_its() -> None:
    at = NOW - 2 * HOUR
    shown = SessionEvent("item_impression", "song", None, at)
    clicked = SessionEvent("item_clicked", "song", None, at)
    for events in ((shown, clicked), (clicked, shown)):
        assert session(*events).shown == ((1, int(at) + HOUR, True),)
