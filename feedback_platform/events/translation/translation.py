"""From a received line to canonical events, or to the reason why it is none. Pure.

The same line gives the same events whenever it is read. What a field's text has to look like is
not decided here: cleaning reads the events, and puts aside what the contract refuses.
"""

from __future__ import annotations

from typing import Any, Final

from feedback_platform.events import columns as c
from feedback_platform.events.contract import EVENT_TYPES
from feedback_platform.events.received import Format
from feedback_platform.events.translation.cloudevents import cloud_events
from feedback_platform.events.translation.mapping import EventMapping
from feedback_platform.events.translation.rules import (
    INVALID_TYPE,
    MISSING_FIELD,
    Event,
    Refusal,
    apply_rule,
)
from feedback_platform.events.translation.segment import is_segment_message, segment_events

# Looked up for every line; a member of an enumeration takes its time to be found.
_SEGMENT: Final = str(Format.SEGMENT)
_CLOUDEVENT: Final = str(Format.CLOUDEVENT)
_EVENT: Final = str(Format.EVENT)
_OPAQUE: Final = str(Format.OPAQUE)

UNKNOWN_FORMAT: Final = "unknown_format"
REFUSED: Final = "refused"


def translate(
    line: dict[str, Any], mapping: EventMapping, *, made_id: str
) -> list[Event] | Refusal:
    """Return the canonical events of a received line, at least one, or its refusal.

    Args:
        line: the received line, see `events.received`.
        mapping: what the names of events mean.
        made_id: the event id where neither the message nor the line has one; it must be the same
            whenever the line is read.
    """
    form = line.get("format")
    refusal = line.get("refusal")
    if refusal is not None or form == _OPAQUE:
        return _stated(refusal)
    message = line.get("message")
    if not isinstance(message, dict):
        return Refusal(MISSING_FIELD if message is None else INVALID_TYPE, "message")
    fallback = line.get("fallback_id")
    if isinstance(fallback, str) and fallback:
        made_id = fallback
    if form == _SEGMENT:
        return segment_events(message, line, mapping, made_id)
    if form == _CLOUDEVENT:
        return cloud_events(message, line, mapping, made_id)
    if form == _EVENT:
        return _events(message, line, mapping, made_id)
    return Refusal(UNKNOWN_FORMAT, "format")


def translate_bare(
    message: dict[str, Any], mapping: EventMapping, *, made_id: str
) -> list[Event] | Refusal | None:
    """Return what `translate` would of a message in nobody's envelope; None if it is canonical.

    A delivery stream stores what was put into it: a message of Segment's, a CloudEvent, a received
    line, or an event as it should be.
    """
    if is_segment_message(message):
        return segment_events(message, {}, mapping, made_id)
    if "specversion" in message and c.EVENT_TYPE not in message:
        return cloud_events(message, {}, mapping, made_id)
    if "format" in message and ("message" in message or "refusal" in message):
        return translate(message, mapping, made_id=made_id)
    return None


def _stated(refusal: Any) -> Refusal:
    """Return the refusal that a way in wrote into the line."""
    known = refusal if isinstance(refusal, dict) else {}
    reason, field = known.get("reason"), known.get("field")
    return Refusal(
        reason if isinstance(reason, str) and reason else REFUSED,
        field if isinstance(field, str) else None,
    )


def _events(
    message: dict[str, Any], line: dict[str, Any], mapping: EventMapping, made_id: str
) -> list[Event] | Refusal:
    """Return an event in our own terms, with what the line knows of it, or what it really is."""
    if is_segment_message(message):
        return segment_events(message, line, mapping, made_id)
    known: Event = {}
    if message.get(c.EVENT_ID) in (None, ""):
        known[c.EVENT_ID] = made_id
    if line.get(c.RECEIVED_AT) is not None:
        known[c.RECEIVED_AT] = line[c.RECEIVED_AT]
    if message.get(c.SENT_AT) is None and line.get(c.SENT_AT) is not None:
        known[c.SENT_AT] = line[c.SENT_AT]
    event = {**message, **known}
    name = message.get(c.EVENT_TYPE)
    if isinstance(name, str) and name not in EVENT_TYPES:
        rule = mapping.own_rule_for(name)
        if rule is not None:
            properties = event.pop(c.PROPERTIES, None) or {}
            if not isinstance(properties, dict):
                return Refusal(INVALID_TYPE, c.PROPERTIES)
            return apply_rule(rule, event, properties)
    return [event]
