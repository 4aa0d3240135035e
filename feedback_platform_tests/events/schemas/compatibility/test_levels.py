"""Which versions a level looks at, and how much work that may be in all."""

from __future__ import annotations

import json
import time
from typing import Any

from feedback_platform.events.schemas.compatibility.levels import (
    Level,
    incompatibilities,
    violations,
)
from feedback_platform.events.schemas.schema import Schema, SchemaType, no_references


def json_schema(**rules: Any) -> Schema:
    return Schema(json.dumps(rules), SchemaType.JSON)


def test_a_level_looks_at_the_latest_version_or_at_all() -> None:
    assert Level.NONE.compared([1, 2, 3]) == []
    assert Level.FULL.compared([1, 2, 3]) == [3]
    assert Level.FULL_TRANSITIVE.compared([1, 2, 3]) == [1, 2, 3]


def test_many_large_versions_are_not_more_work_than_one_request_may_be() -> None:
    names = [f"a rather long name {i}" for i in range(20_000)]
    versions = [(n, json_schema(enum=[*names, n])) for n in range(1, 101)]
    started = time.process_time()

    messages = violations(Level.FULL_TRANSITIVE, json_schema(enum=names), versions, no_references)

    assert time.process_time() - started < 8
    assert messages[-1].startswith("Against version 9")
    assert "too complex to be compared" in messages[-1]
    assert "set the level to NONE" in messages[-1]
    # Those before are not compared any more, and no guess is made about them.
    assert not any("version 1:" in message for message in messages)


def test_what_unfolds_without_end_is_an_incompatibility_and_no_failure() -> None:
    definitions = {f"d{i}": {"oneOf": [{"$ref": f"#/definitions/d{i + 1}"}] * 2} for i in range(40)}
    reader, writer = (
        json_schema(definitions={**definitions, "d40": leaf}, **{"$ref": "#/definitions/d0"})
        for leaf in ({"minLength": 1}, {})
    )

    (message,) = incompatibilities(reader, writer, no_references)

    assert message.startswith("#")
    assert "Write them with fewer alternatives, values or references" in message
