"""From a schema's text to JSON Schema that is known to be one."""

from __future__ import annotations

from collections import deque
from typing import Final

import orjson

from feedback_platform.events.schemas.json_schema.check import schema_problem
from feedback_platform.events.schemas.json_schema.drafts import (
    JSON,
    SUPPORTED,
    draft_of,
    is_too_old,
)
from feedback_platform.events.schemas.references import References
from feedback_platform.events.schemas.schema import (
    InvalidSchemaError,
    ResolveReference,
    Schema,
    SchemaType,
)

# What is nested more deeply was not written by a person, and every reader would have to follow.
_MAX_DEPTH: Final = 100
# Written by a person or a program it takes some twenty characters a part, a megabyte in all.
_MAX_PARTS: Final = 60_000


def parse_json_schema(text: str) -> JSON:
    """Read a JSON Schema of any draft from 4; draft 7 unless `$schema` says otherwise.

    Raises:
        InvalidSchemaError: the text is not JSON, or its JSON is no schema.
    """
    try:
        schema = orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError) as error:
        raise InvalidSchemaError(f"The JSON Schema is not JSON: {error}") from error
    if not isinstance(schema, dict | bool):
        raise InvalidSchemaError("A JSON Schema is an object, true or false.")
    _check_size(schema)
    if isinstance(schema, dict) and is_too_old(schema):
        raise InvalidSchemaError(
            f"$schema of the JSON Schema is {schema['$schema']!r}, which is not supported; "
            f"it takes {SUPPORTED}."
        )
    problem = schema_problem(schema, draft_of(schema))
    if problem is not None:
        raise InvalidSchemaError(f"The JSON Schema is not valid at {problem}.")
    return schema


def parse_json_references(schema: Schema, resolve: ResolveReference) -> dict[str, JSON]:
    """Return what a JSON Schema refers to beside itself, by name; also what that refers to.

    Raises:
        InvalidSchemaError: something of it is missing or no JSON Schema, or it is too much.
    """
    references = References(SchemaType.JSON, resolve)
    found: dict[str, JSON] = {}
    waiting = deque(schema.references)
    while waiting:
        reference = waiting.popleft()
        if reference.name not in found:
            referenced = references.find(reference)
            found[reference.name] = parse_json_schema(referenced.text)
            waiting.extend(referenced.references)
    return found


def canonical_json(schema: JSON) -> bytes:
    """Return a schema without white space, its members in order of their names."""
    return orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)


def _check_size(schema: JSON) -> None:
    level: list[JSON] = [schema] if isinstance(schema, dict) else []
    count = 0
    for _ in range(_MAX_DEPTH):
        count += len(level)
        if count > _MAX_PARTS:
            raise InvalidSchemaError(
                f"The JSON Schema consists of more than {_MAX_PARTS:,} objects and lists."
            )
        level = [
            child
            for part in level
            for child in (part.values() if isinstance(part, dict) else part)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise InvalidSchemaError(f"The JSON Schema is nested more than {_MAX_DEPTH} levels deep.")
