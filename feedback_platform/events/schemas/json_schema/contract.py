"""The contract as JSON Schema (draft 7): one document for each type, and one over all of them.

The documents describe the form to send: numbers as numbers, times as RFC 3339 with a zone, and what
the contract has no field for inside `properties`. Cleaning is more forgiving on purpose: it takes a
number written as text, an offset without its colon and a name that came as a number, too, and
ignores a field that it does not know. A sender that validates finds such a slip before it is sent.

The documents are closed: no field but those of the contract. Only so can one be added later,
because in an open one an old event may already use its name for anything.
"""

from __future__ import annotations

import json
from typing import Any, Final

from feedback_platform.events import columns as c
from feedback_platform.events.contract import (
    CERTAIN_PROPENSITY,
    EVENT_TYPES,
    EVENT_VERSION,
    FIELDS,
    FIRST_POSITION,
    IMPOSSIBLE_PROPENSITY,
    REQUIRED_FIELDS,
    EventField,
    EventType,
    FieldKind,
)

JsonSchema = dict[str, Any]

DRAFT: Final = "http://json-schema.org/draft-07/schema#"
TIMESTAMP_PATTERN: Final = (
    r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?"
    r"(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)
# NUL is no part of a name: PostgreSQL and others refuse it.
NAME_PATTERN: Final = r"^[^\u0000]*$"
_BOUNDS: Final[dict[str, JsonSchema]] = {
    c.POSITION: {"minimum": FIRST_POSITION},
    c.PROPENSITY: {
        "exclusiveMinimum": IMPOSSIBLE_PROPENSITY,
        "maximum": CERTAIN_PROPENSITY,
    },
}
_USERS: Final = (c.USER_ID, c.ANONYMOUS_ID)


def type_schema(kind: EventType) -> JsonSchema:
    """Return the schema of one event type."""
    fields = {name: _field_schema(field) for name, field in FIELDS.items()}
    fields[c.EVENT_TYPE]["const"] = kind.name
    for name in kind.required_fields:
        fields[name] = _sent(fields[name])
    if kind.value is not None:
        fields[c.VALUE].update(_value_bounds(kind), description=_value_description(kind))
    schema = {
        "$schema": DRAFT,
        "title": kind.name,
        "description": kind.description,
        "x-version": kind.version,
        "type": "object",
        "properties": fields,
        "required": [*REQUIRED_FIELDS, *_in_order(kind.required_fields)],
        "additionalProperties": False,
    }
    return schema | _user_rule(kind)


def event_schema() -> JsonSchema:
    """Return the schema of an event of any type: what all share, then what each adds."""
    fields = {name: _field_schema(field) for name, field in FIELDS.items()}
    fields[c.EVENT_TYPE]["enum"] = list(EVENT_TYPES)
    return {
        "$schema": DRAFT,
        "title": "event",
        "description": "An event of any type of the contract.",
        "x-version": EVENT_VERSION,
        "type": "object",
        "properties": fields,
        "required": list(REQUIRED_FIELDS),
        "additionalProperties": False,
        "oneOf": [_alternative(kind) for kind in EVENT_TYPES.values()],
    }


def schema_text(schema: JsonSchema) -> str:
    """Return a schema as the text that is released and registered."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _alternative(kind: EventType) -> JsonSchema:
    """Return what an event of one type has to satisfy beyond what all events do."""
    fields: dict[str, JsonSchema] = {c.EVENT_TYPE: {"const": kind.name}}
    for name in _in_order(kind.required_fields):
        sent = _sent(_field_schema(FIELDS[name]))
        fields[name] = {key: sent[key] for key in ("type", "minLength") if key in sent}
    if kind.value is not None:
        fields.setdefault(c.VALUE, {}).update(
            _value_bounds(kind), description=_value_description(kind)
        )
    alternative: JsonSchema = {
        "title": kind.name,
        "description": kind.description,
        "x-version": kind.version,
        "properties": fields,
    }
    if kind.required_fields:
        alternative["required"] = _in_order(kind.required_fields)
    return alternative | _user_rule(kind)


def _field_schema(field: EventField) -> JsonSchema:
    """Return the schema of a field that may be left out, or be null, which says the same."""
    described = {"description": field.description}
    if field.name in REQUIRED_FIELDS:
        return described | _sent({"type": ["string", "null"], "pattern": NAME_PATTERN})
    match field.kind:
        case FieldKind.STRING:
            return described | {"type": ["string", "null"], "pattern": NAME_PATTERN}
        case FieldKind.TIMESTAMP:
            return described | {
                "type": ["string", "null"],
                "format": "date-time",
                "pattern": TIMESTAMP_PATTERN,
            }
        case FieldKind.DOUBLE:
            return described | {"type": ["number", "null"]} | _BOUNDS.get(field.name, {})
        case FieldKind.INTEGER:
            return described | {"type": ["integer", "null"]} | _BOUNDS.get(field.name, {})
        case FieldKind.JSON:
            return described | {"type": ["object", "null"]}


def _sent(schema: JsonSchema) -> JsonSchema:
    """Return a field's schema without null; a text that is sent is not empty."""
    (kind,) = (name for name in schema["type"] if name != "null")
    return schema | {"type": kind} | ({"minLength": 1} if kind == "string" else {})


def _user_rule(kind: EventType) -> JsonSchema:
    if not kind.needs_user:
        return {}
    return {
        "anyOf": [
            {"properties": {name: {"type": "string", "minLength": 1}}, "required": [name]}
            for name in _USERS
        ]
    }


def _value_bounds(kind: EventType) -> JsonSchema:
    if kind.value is None:
        return {}
    bounds = {"minimum": kind.value.minimum, "maximum": kind.value.maximum}
    return {name: bound for name, bound in bounds.items() if bound is not None}


def _value_description(kind: EventType) -> str:
    if kind.value is None:
        return FIELDS[c.VALUE].description
    meaning = kind.value.meaning
    return f"{meaning[:1].upper()}{meaning[1:]} in {kind.value.unit}."


def _in_order(names: frozenset[str]) -> list[str]:
    return [name for name in FIELDS if name in names]
