"""What of the events that come somebody else hears of, and when."""

from __future__ import annotations

import json
from typing import Any

import pytest

from feedback_platform.events.translation.mapping import DEFAULT_MAPPING
from feedback_platform.ingestion.collector.audience import (
    MAX_BATCHED_PER_SECOND,
    MAX_EVENTS_PER_SECOND,
    MAX_LINE_BYTES,
    Accepted,
    Audience,
)

RECEIVED = "2026-03-01T10:00:00.000000Z"
LIKED: dict[str, Any] = {
    "specversion": "1.0",
    "type": "com.shop.item_liked",
    "source": "s",
    "id": "1",
    "dataschema": "x",
    "data": {"anonymous_id": "d", "item_id": "a"},
}


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def audience(clock: Clock | None = None) -> Audience:
    return Audience(
        lambda _: None, DEFAULT_MAPPING, {"item_clicked", "item_liked"}, clock=clock or Clock()
    )


def track(name: str = "Product Clicked", /, **fields: Any) -> dict[str, Any]:
    message = {"type": "track", "event": name, "userId": "ada", "messageId": "m"}
    return message | {"properties": {"product_id": "a"}} | fields


def test_an_event_of_a_wanted_type_is_told_without_its_context() -> None:
    message = track(anonymousId="d", context={"ip": "10.0.0.1"}, sentAt="2026-03-01T09:00:00Z")

    (told,) = audience().of_batch([message], RECEIVED, None)

    assert (told.user_id, told.anonymous_id) == ("ada", "d")
    assert json.loads(told.line) == {
        "format": "segment",
        "received_at": RECEIVED,
        "sent_at": "2026-03-01T09:00:00Z",
        "message": {name: value for name, value in message.items() if name != "context"},
    }


@pytest.mark.parametrize(
    "message",
    [
        track("Product Viewed"),
        track("Nobody Mapped This"),
        track("n" * 300),
        track(userId=None),
        track(messageId="m" * 101),
        track(event=7),
        track(properties={"product_id": "a", "text": "x" * MAX_LINE_BYTES}),
        {"type": "page", "userId": "ada"},
        {"type": "identify", "userId": "ada"},
        {"userId": "ada"},
        "text",
        None,
        {"type": ["track"], "userId": "ada"},
        {"type": {}, "userId": "ada"},
    ],
)
def test_what_says_nothing_of_an_item_is_faulty_or_large_is_not_told(message: Any) -> None:
    assert audience().of_batch([message], RECEIVED, None) == []


def test_messages_that_say_whose_a_device_is_are_told_without_what_else_they_say() -> None:
    identify = {"type": "identify", "userId": 7, "anonymousId": "d", "traits": {"name": "Ada"}}
    alias = {"type": "alias", "userId": "ada", "previousId": "e", "anonymousId": "other"}

    told = audience().of_batch([identify, alias], RECEIVED, None)

    assert told == [Accepted("7", "d", b""), Accepted("ada", "e", b"")]


def test_a_single_message_is_told_as_the_line_that_the_lake_has() -> None:
    line = b'{"format":"segment","message":{}}\n'

    told = audience().of_single(track(anonymousId="d"), line, RECEIVED, kind="track")

    assert told == [Accepted("ada", "d", line[:-1])]


def test_of_a_single_message_with_a_large_context_only_what_is_needed_is_told() -> None:
    message = track(context={"page": "x" * 2000})
    line = json.dumps({"format": "segment", "received_at": RECEIVED, "message": message}).encode()

    (told,) = audience().of_single(message, line, RECEIVED, kind="track")

    assert json.loads(told.line)["message"] == track()


@pytest.mark.parametrize("kind", ["page", "track"])
def test_a_single_message_that_says_nothing_of_an_item_is_not_told(kind: str) -> None:
    message = track("Nobody Mapped This")
    assert audience().of_single(message, b"{}\n", RECEIVED, kind=kind) == []


def test_a_single_message_that_says_whose_a_device_is_is_told() -> None:
    message = {"userId": "ada", "anonymousId": "d"}
    told = audience().of_single(message, b"{}\n", RECEIVED, kind="identify")
    assert told == [Accepted("ada", "d", b"")]


def test_a_cloudevent_is_told_with_the_user_that_its_data_names() -> None:
    others = [LIKED | {"type": "item_viewed"}, LIKED | {"data": None}, LIKED | {"data": {}}]

    (told,) = audience().of_cloudevents([LIKED, *others], RECEIVED)

    assert (told.user_id, told.anonymous_id) == ("", "d")
    assert "dataschema" not in json.loads(told.line)["message"]


def test_events_that_come_faster_than_users_act_are_passed_over_and_counted() -> None:
    clock = Clock()
    crowded = audience(clock)
    messages = [track(messageId=f"{number}") for number in range(MAX_BATCHED_PER_SECOND + 10)]

    told = crowded.of_batch(messages, RECEIVED, None)

    assert len(told) == MAX_BATCHED_PER_SECOND
    assert json.loads(told[-1].line)["message"] == messages[-1]
    assert crowded.passed_over == 10
    assert crowded.of_batch(messages[:5], RECEIVED, None) == []
    assert crowded.of_cloudevents([LIKED], RECEIVED) == []
    assert crowded.passed_over == 16
    # A page's single event has room where a batch has none any more.
    for _ in range(MAX_BATCHED_PER_SECOND, MAX_EVENTS_PER_SECOND):
        assert len(crowded.of_single(track(), b"{}\n", RECEIVED, kind="track")) == 1
    assert crowded.of_single(track(), b"{}\n", RECEIVED, kind="track") == []
    assert crowded.passed_over == 17
    clock.now += 1
    assert len(crowded.of_batch(messages[:5], RECEIVED, None)) == 5
