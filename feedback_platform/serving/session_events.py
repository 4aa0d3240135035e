"""What a kept line came to: the events of a session, as cleaning and the layers would have them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson

from feedback_platform.cleaning.validation import MAX_AHEAD
from feedback_platform.events import columns as c
from feedback_platform.events.contract import EVENT_TYPES
from feedback_platform.events.translation.mapping import EventMapping
from feedback_platform.events.translation.rules import Refusal, as_number
from feedback_platform.events.translation.translation import translate
from feedback_platform.learning.online.records import SessionEvent

# What a user does to an item, or says of it. Impressions are not theirs, and are many.
FOLDED: Final = frozenset(
    {
        "item_viewed",
        "item_clicked",
        "item_liked",
        "item_dismissed",
        "item_rated",
        "item_used",
        "item_converted",
    }
)
# An order of more products folds in with the first of them.
_MOST_OF_A_LINE: Final = 50


class UserEvent(NamedTuple):
    """An event with its id, by which deliveries of the same one are known."""

    event_id: str
    event: SessionEvent


class SessionLines:
    """Understands kept lines by the names that an installation uses."""

    def __init__(self, mapping: EventMapping, event_types: Collection[str] = FOLDED) -> None:
        self._mapping = mapping
        self._event_types = event_types

    def interpret(self, line: bytes) -> tuple[UserEvent, ...]:
        """Return the events of a line that say something of an item; none of what means nothing."""
        content = orjson.loads(line)
        # Without an id of its own an event cannot be told from its second delivery, which is rare:
        # the libraries give one to each.
        made_id = f"line-{hash(line)}"
        found = translate(content, self._mapping, made_id=made_id)
        if isinstance(found, Refusal):
            return ()
        events = (_user_event(event, self._event_types) for event in found[:_MOST_OF_A_LINE])
        return tuple(event for event in events if event is not None)


def _user_event(event: dict[str, Any], event_types: Collection[str]) -> UserEvent | None:
    event_type, item_id = event.get(c.EVENT_TYPE), event.get(c.ITEM_ID)
    if not isinstance(event_type, str) or event_type not in event_types:
        return None
    if type(item_id) not in {str, int, float} or item_id == "":
        return None
    sent = event.get(c.VALUE)
    value = as_number(sent)
    if (sent is not None and value is None) or not EVENT_TYPES[event_type].allows(value):
        return None
    try:
        at = _occurred_at(event)
    except (TypeError, ValueError):
        return None
    event_id = str(event.get(c.EVENT_ID))
    return UserEvent(event_id, SessionEvent(event_type, str(item_id), value, at))


def _occurred_at(event: dict[str, Any]) -> float:
    """Return when an event happened by the platform's clock, as cleaning corrects it.

    Raises:
        TypeError, ValueError: a time is none that cleaning would take.
    """
    received = _seconds(event[c.RECEIVED_AT])
    if event.get(c.OCCURRED_AT) is None:
        return received
    occurred = _seconds(event[c.OCCURRED_AT])
    if event.get(c.SENT_AT) is not None:
        return min(received - (_seconds(event[c.SENT_AT]) - occurred), received)
    if occurred > received + MAX_AHEAD.total_seconds():
        raise ValueError("it lies in the future")
    return min(occurred, received)


def _seconds(text: Any) -> float:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("it has no zone")
    return time.timestamp()
