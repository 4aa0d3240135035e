"""Building messages and received lines for tests of translation."""

from __future__ import annotations

from typing import Any

from feedback_platform.events.translation.mapping import DEFAULT_MAPPING, EventMapping
from feedback_platform.events.translation.rules import Event, Refusal
from feedback_platform.events.translation.translation import translate

RECEIVED: str = "2026-03-01T10:00:00.123456Z"
MADE: str = "made"


def track(event: Any, properties: Any = None, **fields: Any) -> dict[str, Any]:
    return {
        "type": "track",
        "messageId": "m1",
        "userId": "u1",
        "timestamp": "2026-03-01T09:59:58.000Z",
        "event": event,
        "properties": {} if properties is None else properties,
    } | fields


def translated(
    message: Any, mapping: EventMapping = DEFAULT_MAPPING, form: str = "segment", **facts: Any
) -> list[Event]:
    """The canonical events of a message; fails where it is refused."""
    events = outcome(message, mapping, form, **facts)
    assert isinstance(events, list), events
    assert events
    return events


def outcome(
    message: Any, mapping: EventMapping = DEFAULT_MAPPING, form: str = "segment", **facts: Any
) -> list[Event] | Refusal:
    line = {"format": form, "received_at": RECEIVED, **facts, "message": message}
    return translate(line, mapping, made_id=MADE)
