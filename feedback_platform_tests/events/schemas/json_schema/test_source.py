"""What is taken for a JSON Schema; the drafts' own meta-schemas are the oracle."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import SchemaError
from jsonschema.validators import validator_for

from feedback_platform.events.schemas.json_schema.check import schema_problem
from feedback_platform.events.schemas.json_schema.drafts import draft_of
from feedback_platform.events.schemas.json_schema.source import (
    parse_json_references,
    parse_json_schema,
)
from feedback_platform.events.schemas.schema import (
    InvalidSchemaError,
    Schema,
    SchemaReference,
    SchemaType,
)

DRAFTS = [
    "http://json-schema.org/draft-04/schema#",
    "http://json-schema.org/draft-06/schema#",
    "http://json-schema.org/draft-07/schema#",
    "https://json-schema.org/draft/2019-09/schema",
    "https://json-schema.org/draft/2020-12/schema",
]


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"$schema": "http://json-schema.org/draft-03/schema#"}, "draft-03/schema#', which is not"),
        ({"$schema": "https://json-schema.org/draft-03/schema"}, "which is not supported"),
        ({"$schema": 3}, "#/$schema: it has to be a text, not 3"),
        ({"$id": 3}, "#/$id: it has to be a URI, not 3"),
        ({"$id": "http://["}, "#/$id: it has to be a URI, not 'http://['"),
        ({"$schema": DRAFTS[0], "id": "http://["}, "#/id: it has to be a URI"),
        ({"items": {"$ref": "http://["}}, "#/items/$ref: it has to be a URI"),
        ({"type": "strng"}, "#/type: it has to be one or some of array, boolean"),
        ({"type": []}, "#/type"),
        ({"type": ["string"] * 1000}, "not a list of 1,000 values"),
        ({"type": [{}]}, "#/type"),
        ({"properties": {"a/b": 3}}, "#/properties/a~1b: a schema is an object, true or false"),
        ({"required": ["a", "a"]}, "#/required: it has to be a list of different names"),
        ({"minLength": -1}, "#/minLength: it has to be a whole number from 0, not -1"),
        ({"minLength": True}, "#/minLength"),
        ({"multipleOf": 0}, "#/multipleOf: it has to be a number above 0"),
        ({"$schema": DRAFTS[0], "not": True}, "#/not: a schema is an object, not True"),
        ({"$schema": DRAFTS[0], "exclusiveMinimum": 1}, "#/exclusiveMinimum: it has to be true"),
        ({"$schema": DRAFTS[4], "items": []}, "#/items"),
        ({"dependencies": {"a": ["b", 1]}}, "#/dependencies"),
        ({"$schema": DRAFTS[3], "dependentRequired": {"a": "b"}}, "#/dependentRequired"),
    ],
)
def test_a_mistake_is_named_with_its_place(schema: Any, said: str) -> None:
    with pytest.raises(InvalidSchemaError) as refused:
        parse_json_schema(json.dumps(schema))

    assert said in str(refused.value)


def test_what_a_draft_does_not_know_may_be_anything() -> None:
    for schema in (
        {"$schema": DRAFTS[2], "prefixItems": 3, "$defs": 4, "x": {"type": "strng"}},
        {"$schema": DRAFTS[0], "const": 1, "if": 2, "propertyNames": 3},
        {"$schema": "http://example.com/own", "x-rule": 1},
        {"$schema": "http://[", "type": "string"},
    ):
        assert parse_json_schema(json.dumps(schema)) == schema


def test_a_schema_of_more_parts_than_anybody_writes_is_refused() -> None:
    fitting: Any = {"allOf": [{}] * 59_998}

    assert parse_json_schema(json.dumps(fitting)) == fitting
    with pytest.raises(InvalidSchemaError, match="more than 60,000 objects and lists"):
        parse_json_schema(json.dumps({"allOf": [{}] * 59_999}))
    with pytest.raises(InvalidSchemaError, match="more than 100 levels deep"):
        parse_json_schema('{"not":' * 101 + "{}" + "}" * 101)


def test_a_pattern_is_not_compiled() -> None:
    """It is an expression of ECMA 262; Python would take minutes for the first one."""
    started = time.process_time()
    for pattern in ("(?i)[\u0000-\uffff]" * 5_000, r"^\p{L}+$", "(?<year>[0-9]{4})"):
        parse_json_schema(json.dumps({"pattern": pattern}))

    assert time.process_time() - started < 5


JSON = st.recursive(
    st.sampled_from([None, True, False, 0, 1, -1, 1.0, 1.5, "", "a", "string", "#", "#/not"]),
    lambda parts: st.lists(parts, max_size=2) | st.dictionaries(st.sampled_from("ab"), parts),
    max_leaves=4,
)
KEYWORDS = sorted(
    {keyword for draft in DRAFTS for keyword in draft_of({"$schema": draft}).keywords}
)
# Where this check is more forgiving, or the meta-schemas of draft 4 say nothing.
LENIENT = {"enum", "required", "exclusiveMinimum", "exclusiveMaximum", "$anchor", "$dynamicAnchor"}
LENIENT |= {"$schema", "$id", "id", "$ref", "$vocabulary"}
SCHEMAS = st.recursive(
    JSON,
    lambda parts: st.dictionaries(
        st.sampled_from([keyword for keyword in KEYWORDS if keyword not in LENIENT]),
        parts | st.lists(parts, max_size=2) | st.dictionaries(st.sampled_from("ab"), parts),
        max_size=3,
    ),
    max_leaves=6,
)


@given(draft=st.sampled_from(DRAFTS), rules=SCHEMAS)
@example(draft=DRAFTS[0], rules={"additionalProperties": False})
@example(draft=DRAFTS[4], rules={"dependencies": {"a": ["b"]}})
@example(draft=DRAFTS[4], rules={"$recursiveAnchor": True})
@example(draft=DRAFTS[4], rules={"$recursiveRef": 1})
def test_it_is_a_schema_where_the_meta_schema_says_so(draft: str, rules: Any) -> None:
    schema = {"$schema": draft, "not": rules}
    oracle = validator_for(schema)
    try:
        oracle.check_schema(schema, format_checker=None)
    except SchemaError:
        is_schema = False
    else:
        is_schema = True

    assert (schema_problem(schema, draft_of(schema)) is None) == is_schema


def referring(*names: str) -> Schema:
    references = tuple(SchemaReference(name, name, 1) for name in names)
    return Schema("{}", SchemaType.JSON, references)


def test_a_chain_of_references_is_followed_to_a_limit() -> None:
    def next_one(reference: SchemaReference) -> Schema:
        return referring(str(int(reference.name) + 1))

    with pytest.raises(InvalidSchemaError, match="imports more than 500 others"):
        parse_json_references(referring("1"), next_one)


def test_references_may_not_be_too_much_in_all() -> None:
    large = Schema(json.dumps({"title": "x" * 900_000}), SchemaType.JSON)

    assert len(parse_json_references(referring("a", "b"), lambda _: large)) == 2
    with pytest.raises(InvalidSchemaError, match=r"more than 2,000,000 characters"):
        parse_json_references(referring("a", "b", "c"), lambda _: large)


def test_a_reference_leads_to_a_schema_of_the_same_type() -> None:
    source = Schema('syntax = "proto3"; message M {}', SchemaType.PROTOBUF)

    with pytest.raises(InvalidSchemaError, match="'a' leads to a schema of type PROTOBUF"):
        parse_json_references(referring("a"), lambda _: source)
