"""Messages of Segment's tracking API as canonical events.

What its public specification says of a message: https://segment.com/docs/connections/spec/. The
context fills the fields of the device and the visit. Of the rest only the user agent goes on, in
the properties, since it gives programs away; all of it stays in the raw line.
"""

from __future__ import annotations

from typing import Any, Final

from feedback_platform.events import columns as c
from feedback_platform.events.translation.mapping import EventMapping
from feedback_platform.events.translation.rules import (
    INVALID_TYPE,
    MISSING_FIELD,
    UNMAPPED_EVENT,
    Event,
    Refusal,
    apply_rule,
)
from feedback_platform.events.translation.segment_context import (
    LONGEST_AGENT,
    context_fields,
    merged_context,
)
from feedback_platform.events.translation.segment_names import PAGE

SEGMENT_TYPES: Final = frozenset({"track", "identify", "page", "screen", "group", "alias"})
# A page call of a server has them in its context, one of a browser in its properties.
_PAGE_FACTS: Final = ("url", "path", "title", "referrer", "search")
# Their properties are attributes.
_ATTRIBUTES: Final = frozenset({"user_updated", "item_updated"})
UNKNOWN_MESSAGE_TYPE: Final = "unknown_message_type"


def segment_events(
    message: dict[str, Any], line: dict[str, Any], mapping: EventMapping, made_id: str
) -> list[Event] | Refusal:
    """Translate one message.

    Args:
        message: as the client sent it.
        line: the facts of the received line around it.
        mapping: what the names of tracked events mean.
        made_id: its event id where it has none.
    """
    kind = message.get("type")
    if not isinstance(kind, str) or kind not in SEGMENT_TYPES:
        return Refusal(UNKNOWN_MESSAGE_TYPE, "type")
    context = merged_context(line.get("context"), message.get("context"))
    common = context_fields(context) if context else {}
    _add_common(common, message, line, made_id)
    properties = message.get("properties")
    if properties is None:
        properties = {}
    elif type(properties) is not dict:
        return Refusal(INVALID_TYPE, "properties")
    if kind == "track":
        return _with_user_agent(_tracked(message, common, context, properties, mapping), context)
    if kind in {"page", "screen"}:
        seen = apply_rule(PAGE, common, _page_properties(message, context, properties))
        return _with_user_agent(seen, context)
    traits = _traits(message, context if kind == "identify" else {})
    if traits is None:
        return Refusal(INVALID_TYPE, "traits")
    return [{**common, **_STATED[kind](message, traits)}]


def is_segment_message(message: dict[str, Any]) -> bool:
    """Return whether an event of unknown origin is a message of Segment's."""
    kind = message.get("type")
    return isinstance(kind, str) and kind in SEGMENT_TYPES and c.EVENT_TYPE not in message


def _add_common(common: Event, message: dict[str, Any], line: dict[str, Any], made_id: str) -> None:
    """Add the fields that every type of message has."""
    event_id = message.get("messageId")
    common[c.EVENT_ID] = made_id if event_id is None or event_id == "" else event_id
    user_id = message.get("userId")
    if user_id is not None:
        common[c.USER_ID] = user_id
    anonymous_id = message.get("anonymousId")
    if anonymous_id is not None:
        common[c.ANONYMOUS_ID] = anonymous_id
    sent_at = line.get(c.SENT_AT)
    if sent_at is None and "receivedAt" not in message:
        # Forwarded by Segment, a message was corrected by its clock already.
        sent_at = message.get("sentAt")
    if sent_at is not None:
        common[c.SENT_AT] = sent_at
    occurred_at = message.get("timestamp")
    if occurred_at is None or occurred_at == "":
        occurred_at = message.get("originalTimestamp") or message.get("sentAt") or sent_at
    if occurred_at is not None:
        common[c.OCCURRED_AT] = occurred_at
    received_at = line.get(c.RECEIVED_AT)
    if received_at is not None:
        common[c.RECEIVED_AT] = received_at


def _tracked(
    message: dict[str, Any],
    common: Event,
    context: dict[str, Any],
    properties: dict[str, Any],
    mapping: EventMapping,
) -> list[Event] | Refusal:
    name = message.get("event")
    if name is None or name == "":
        return Refusal(MISSING_FIELD, "event")
    if not isinstance(name, str):
        return Refusal(INVALID_TYPE, "event")
    rule = mapping.rule_for(name)
    if rule is None:
        return Refusal(UNMAPPED_EVENT, "event")
    if rule.event_type == "consent_changed" and "consent" in context:
        # Segment's consent managers say in the context what is allowed now.
        properties = {"consent": context["consent"], **properties}
    return apply_rule(rule, common, properties)


def _with_user_agent(
    outcome: list[Event] | Refusal, context: dict[str, Any]
) -> list[Event] | Refusal:
    """Keep the user agent of what users do; what is said of users and items stays as it was."""
    agent = context.get("userAgent")
    if isinstance(outcome, Refusal) or type(agent) is not str or len(agent) > LONGEST_AGENT:
        return outcome
    for event in outcome:
        properties = event.get(c.PROPERTIES, {})
        if agent and event[c.EVENT_TYPE] not in _ATTRIBUTES and "context" not in properties:
            event[c.PROPERTIES] = {**properties, "context": {"userAgent": agent}}
    return outcome


def _page_properties(
    message: dict[str, Any], context: dict[str, Any], properties: dict[str, Any]
) -> dict[str, Any]:
    page = context.get("page")
    known = {name: page[name] for name in _PAGE_FACTS if name in page} if type(page) is dict else {}
    for name in ("name", "category"):
        if message.get(name) is not None:
            known[name] = message[name]
    return {**known, **properties} if known else properties


def _traits(message: dict[str, Any], context: dict[str, Any]) -> dict[str, Any] | None:
    """Return the traits of a message; None where they are no object."""
    traits = message.get("traits")
    if traits is None:
        traits = context.get("traits")
    if traits is None:
        return {}
    return traits if type(traits) is dict else None


def _identified(_: dict[str, Any], traits: dict[str, Any]) -> Event:
    return {c.EVENT_TYPE: "user_updated", c.PROPERTIES: traits}


def _grouped(message: dict[str, Any], traits: dict[str, Any]) -> Event:
    # Below a name of their own: a company's name and plan are not those of its member.
    properties: dict[str, Any] = {"group_id": message.get("groupId")}
    if traits:
        properties["group_traits"] = traits
    return {c.EVENT_TYPE: "user_updated", c.PROPERTIES: properties}


def _aliased(message: dict[str, Any], _: dict[str, Any]) -> Event:
    properties = {"previous_id": message.get("previousId")}
    return {c.EVENT_TYPE: "user_aliased", c.PROPERTIES: properties}


_STATED: Final = {"identify": _identified, "group": _grouped, "alias": _aliased}
