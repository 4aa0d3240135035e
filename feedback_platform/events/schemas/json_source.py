"""From a schema's text to JSON Schema that is known to be one."""

from __future__ import annotations

from collections import deque
from typing import Any, Final

import orjson
from jsonschema import SchemaError
from jsonschema.validators import Draft7Validator, validator_for

from feedback_platform.events.schemas.schema import (
    InvalidSchemaError,
    ResolveReference,
    Schema,
    SchemaNotFoundError,
)

# What is nested more deeply was not written by a person, and every reader would have to follow.
_MAX_DEPTH: Final = 100
_MAX_REFERENCES: Final = 500


def parse_json_schema(text: str) -> Any:
    """Read a JSON Schema of any draft; draft 7 unless `$schema` says otherwise.

    Raises:
        InvalidSchemaError: the text is not JSON, or its JSON is no schema.
    """
    try:
        schema = orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError) as error:
        raise InvalidSchemaError(f"The JSON Schema is not JSON: {error}") from error
    if not isinstance(schema, dict | bool):
        raise InvalidSchemaError("A JSON Schema is an object, true or false.")
    _check_depth(schema)
    try:
        draft_of(schema).check_schema(schema)
    except SchemaError as error:
        place = "/".join(str(part) for part in ("#", *error.absolute_path))
        raise InvalidSchemaError(
            f"The JSON Schema is not valid at {place}: {error.message[:500]}"
        ) from error
    return schema


def draft_of(schema: Any) -> Any:
    """Return the validator class of the draft that a schema names, of draft 7 unless it does."""
    named = schema.get("$schema") if isinstance(schema, dict) else None
    if not isinstance(named, str):
        return Draft7Validator
    return validator_for(schema, default=Draft7Validator)


def parse_json_references(schema: Schema, resolve: ResolveReference) -> dict[str, Any]:
    """Return what a JSON Schema refers to beside itself, by name; also what that refers to.

    Raises:
        InvalidSchemaError: something of it is missing or no schema.
    """
    found: dict[str, Any] = {}
    waiting = deque(schema.references)
    while waiting:
        reference = waiting.popleft()
        if reference.name in found:
            continue
        if len(found) >= _MAX_REFERENCES:
            raise InvalidSchemaError(
                f"The JSON Schema refers to more than {_MAX_REFERENCES} others."
            )
        try:
            referenced = resolve(reference)
        except SchemaNotFoundError as error:
            raise InvalidSchemaError(
                f"The reference {reference.name!r} is missing: {error}"
            ) from error
        found[reference.name] = parse_json_schema(referenced.text)
        waiting.extend(referenced.references)
    return found


def canonical_json(schema: Any, *, is_sorted: bool = False) -> bytes:
    """Return a schema without white space; with its members in order of their names if asked."""
    return orjson.dumps(schema, option=orjson.OPT_SORT_KEYS if is_sorted else None)


def _check_depth(schema: Any) -> None:
    level: list[Any] = [schema] if isinstance(schema, dict) else []
    for _ in range(_MAX_DEPTH):
        level = [
            child
            for part in level
            for child in (part.values() if isinstance(part, dict) else part)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise InvalidSchemaError(f"The JSON Schema is nested more than {_MAX_DEPTH} levels deep.")
