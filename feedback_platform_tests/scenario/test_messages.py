from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from feedback_platform.events.translation.mapping import load_mapping
from feedback_platform.events.translation.rules import Refusal
from feedback_platform.events.translation.segment import segment_events
from feedback_platform.scenario.messages import (
    Message,
    Visit,
    bad_messages,
    catalogue_messages,
    ended_at,
    messages_of,
)
from feedback_platform.simulation.reactions import Reactions

AT = datetime(2024, 1, 2, 9, 0, 0, tzinfo=UTC)
VISIT = Visit(7, "user-1", AT, "r-7", ("a", "b"), (0.5, 0.5), is_logged=False)
NONE, BOTH = np.zeros((1, 2), dtype=np.bool_), np.ones((1, 2), dtype=np.bool_)
FIRST = np.array([[True, False]])
MILLISECONDS = np.full((1, 2), 4_000)


def reactions(*, is_clicked: bool = True) -> Reactions:
    """The first item is clicked, used and rated, and the second dismissed; or nothing happens."""
    first = FIRST if is_clicked else NONE
    return Reactions(
        is_clicked=first,
        is_used=first,
        is_liked=NONE,
        is_dismissed=~FIRST if is_clicked else NONE,
        is_rated=first,
        click_ms=MILLISECONDS,
        view_ms=MILLISECONDS,
        use_ms=MILLISECONDS,
        stars=np.full((1, 2), 5),
    )


def translated(message: Message) -> list[dict[str, object]]:
    line = {"received_at": "2024-01-02T10:00:00Z", "sent_at": "2024-01-02T10:00:00Z"}
    events = segment_events(message, line, load_mapping(None), "made")
    assert not isinstance(events, Refusal)
    return list(events)


def test_a_visit_is_told_in_the_order_in_which_it_happened() -> None:
    told = messages_of(VISIT, reactions(), 0)

    assert [message["event"] for message in told] == [
        "Product List Viewed",
        "Product Clicked",
        "item_dismissed",
        "Product Viewed",
        "item_used",
        "Product Reviewed",
    ]
    assert len({message["messageId"] for message in told}) == len(told)
    # 4 s to the click, as long to look at it, to use it, and a moment between.
    assert told[-1]["timestamp"] == "2024-01-02T09:00:14.600Z"
    assert ended_at(told, VISIT) == datetime(2024, 1, 2, 9, 0, 16, 600_000, tzinfo=UTC)


def test_the_platform_understands_every_message() -> None:
    events = [event for each in messages_of(VISIT, reactions(), 0) for event in translated(each)]

    types = [event["event_type"] for event in events]
    assert types == [
        "item_impression",
        "item_impression",
        "item_clicked",
        "item_dismissed",
        "item_viewed",
        "item_used",
        "item_rated",
    ]
    assert {event["recommendation_id"] for event in events[:4]} == {"r-7"}
    assert {event["session_id"] for event in events} == {"session-7"}
    catalogue = translated(catalogue_messages(AT)[0])
    assert catalogue[0]["event_type"] == "item_updated"


def test_a_list_that_the_platform_has_logged_is_not_told_again() -> None:
    logged = Visit(7, "user-1", AT, "r-7", ("a", "b"), (0.5, 0.5), is_logged=True)

    assert messages_of(logged, reactions(is_clicked=False), 0) == []


def test_a_broken_client_sends_different_mistakes_with_ids_of_their_own() -> None:
    bad = [message for number in range(3) for message in bad_messages(_numbered(number), 2)]

    assert len({message["messageId"] for message in bad}) == 6
    assert {message["event"] for message in bad} == {
        "Product Reviewed",
        "Product Clicked",
        "Product Viewed",
    }
    # A time that is none does not keep the client from saying when it sends.
    assert ended_at(bad, VISIT) > AT


def _numbered(number: int) -> Visit:
    return Visit(number, "user-1", AT, "r", ("a",), (1.0,), is_logged=True)
