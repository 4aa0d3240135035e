"""CloudEvents (1.0, JSON format) as canonical events.

`data` has the canonical fields and goes before the attributes: `time` stands in for occurred_at,
and `subject` for the item_id of a type that needs one. `type` is a canonical type, by itself or
behind a prefix (com.example.item_clicked), or a name that the user mapped. Only `source` and `id`
together are unique, so both make the event's id. What else is in `data` becomes a property.
"""

from __future__ import annotations

from typing import Any, Final

from feedback_platform.events import columns as c
from feedback_platform.events.contract import EVENT_TYPES, FIELDS
from feedback_platform.events.translation.mapping import EventMapping
from feedback_platform.events.translation.rules import (
    INVALID_TYPE,
    MISSING_FIELD,
    UNMAPPED_EVENT,
    Event,
    Refusal,
    apply_rule,
)

_COMMON: Final = (c.EVENT_ID, c.USER_ID, c.ANONYMOUS_ID, c.OCCURRED_AT, c.SENT_AT)
# The platform's own word, whatever the data says.
_NOT_FROM_DATA: Final = frozenset({c.EVENT_TYPE, c.RECEIVED_AT})


def cloud_events(
    message: dict[str, Any], line: dict[str, Any], mapping: EventMapping, made_id: str
) -> list[Event] | Refusal:
    """Translate one CloudEvent.

    Args:
        message: its attributes and data, in the structured JSON form.
        line: the facts of the received line around it.
        mapping: what names that are no canonical types mean.
        made_id: its event id where it has none.
    """
    name = message.get("type")
    if not isinstance(name, str) or not name:
        return Refusal(MISSING_FIELD if name in (None, "") else INVALID_TYPE, "type")
    if "data_base64" in message:
        return Refusal(INVALID_TYPE, "data_base64")
    data = message.get("data")
    if data is None:
        data = {}
    elif not isinstance(data, dict):
        return Refusal(INVALID_TYPE, "data")
    own_name = name.rpartition(".")[2]
    rule = mapping.own_rule_for(name) or mapping.own_rule_for(own_name)
    common = _common(message, line, data, made_id)
    if rule is None and own_name in EVENT_TYPES:
        return _about_subject([_canonical(own_name, common, data)], message)
    rule = rule or mapping.rule_for(own_name)
    if rule is None:
        return Refusal(UNMAPPED_EVENT, "type")
    properties = {name: value for name, value in data.items() if name not in _COMMON}
    return _about_subject(apply_rule(rule, common, properties), message)


def _common(
    message: dict[str, Any], line: dict[str, Any], data: dict[str, Any], made_id: str
) -> Event:
    """Return the fields that every event has, whatever its type."""
    common: Event = {}
    for into in _COMMON:
        value = data.get(into)
        if value is not None and value != "":
            common[into] = value
    if c.EVENT_ID not in common:
        source, number = message.get("source"), message.get("id")
        is_named = isinstance(source, str) and isinstance(number, (str, int))
        common[c.EVENT_ID] = f"{source}#{number}" if is_named else made_id
    if c.OCCURRED_AT not in common and message.get("time") is not None:
        common[c.OCCURRED_AT] = message["time"]
    for into in (c.SENT_AT, c.RECEIVED_AT):
        if into not in common and line.get(into) is not None:
            common[into] = line[into]
    return common


def _canonical(event_type: str, common: Event, data: dict[str, Any]) -> Event:
    fields = {
        name: value for name, value in data.items() if name in FIELDS and name not in _NOT_FROM_DATA
    }
    given = fields.get(c.PROPERTIES)
    others = {name: value for name, value in data.items() if name not in FIELDS}
    if others and (given is None or isinstance(given, dict)):
        fields[c.PROPERTIES] = {**others, **(given or {})}
    return {**fields, **common, c.EVENT_TYPE: event_type}


def _about_subject(events: list[Event] | Refusal, message: dict[str, Any]) -> list[Event] | Refusal:
    """Let the subject stand in for an item that the data does not name."""
    subject = message.get("subject")
    if isinstance(events, Refusal) or subject is None or len(events) > 1:
        return events
    (event,) = events
    kind = EVENT_TYPES.get(event[c.EVENT_TYPE])
    if kind is not None and kind.needs_item and event.get(c.ITEM_ID) in (None, ""):
        event[c.ITEM_ID] = subject
    return events
