"""The contract as JSON Schema takes what cleaning takes, and refuses what cleaning puts aside."""

from __future__ import annotations

import json
from typing import Any

import narwhals as nw
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from feedback_platform.cleaning.validation import with_rejections
from feedback_platform.events.contract import EVENT_TYPES, FIELDS, FieldKind
from feedback_platform.events.schemas.json_schema.contract import (
    event_schema,
    schema_text,
    type_schema,
)
from feedback_platform_tests.cleaning.lines import event, parsed

OF_TYPE = {name: Draft7Validator(type_schema(kind)) for name, kind in EVENT_TYPES.items()}
OF_ALL = Draft7Validator(event_schema())


def reasons(events: list[dict[str, Any]]) -> list[str | None]:
    """Why cleaning puts each event aside, None for a good one."""
    frame = with_rejections(nw.from_native(parsed(*events).events.lazy())).to_native().collect()
    found: list[str | None] = frame["reason"].to_list()
    return found


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_the_schema_of_a_type_is_one_of_draft_7(name: str) -> None:
    schema = type_schema(EVENT_TYPES[name])

    Draft7Validator.check_schema(schema)
    assert (schema["title"], schema["x-version"]) == (name, EVENT_TYPES[name].version)
    assert list(schema["properties"]) == list(FIELDS)
    assert json.loads(schema_text(schema)) == schema


def test_the_schema_over_all_types_is_one_of_draft_7() -> None:
    Draft7Validator.check_schema(event_schema())
    assert [branch["title"] for branch in event_schema()["oneOf"]] == list(EVENT_TYPES)


ACCEPTED = [
    event(),
    event(user_id=None, anonymous_id="a"),
    event(event_type="item_rated", value=0.5),
    event(event_type="item_rated", value=5),
    event(event_type="item_updated", user_id=None, properties={"name": "x", "deep": [{}]}),
    event(event_type="page_viewed", item_id=None),
    event(event_type="user_aliased", item_id=None, properties={"previous_id": "a"}),
    event(event_type="survey_answered", item_id=None, value=0),
    event(position=1, propensity=1, session_id="", placement=None),
    event(occurred_at="2026-03-01T10:00:00.123456+01:00", sent_at=None),
    event(event_id="\N{SNOWMAN}", item_id="a b\n"),
]
REFUSED = [
    event(event_id=""),
    {**event(), "event_id": None},
    event(event_type="item_hovered"),
    {**event(), "event_type": None},
    event(user_id=None),
    event(user_id="", anonymous_id=""),
    event(item_id=""),
    event(item_id=None),
    event(item_id="a\0b"),
    event(event_type="item_rated"),
    event(event_type="item_rated", value=None),
    event(event_type="item_rated", value=5.5),
    event(event_type="item_viewed", value=-1),
    event(event_type="session_started"),
    event(event_type="experiment_exposed", experiment_id="e"),
    event(value="much"),
    event(position=0),
    event(position=1.5),
    event(propensity=0),
    event(propensity=1.1),
    event(occurred_at="yesterday"),
    event(occurred_at="2026-13-01T00:00:00Z"),
    event(occurred_at="2026-03-01 10:00"),
    event(properties="text"),
    event(properties=[1]),
    event(item_id=["i"]),
]


@pytest.mark.parametrize("sent", ACCEPTED)
def test_what_both_take(sent: dict[str, Any]) -> None:
    assert OF_TYPE[sent["event_type"]].is_valid(sent)
    assert OF_ALL.is_valid(sent)
    assert reasons([sent]) == [None]


@pytest.mark.parametrize("sent", REFUSED)
def test_what_both_refuse(sent: dict[str, Any]) -> None:
    validator = OF_TYPE.get(str(sent["event_type"]))
    assert validator is None or not validator.is_valid(sent)
    assert not OF_ALL.is_valid(sent)
    assert reasons([sent]) != [None]


@pytest.mark.parametrize(
    "sent",
    [
        event(event_type="item_rated", value="4.5"),
        event(user_id=17),
        event(occurred_at="2026-03-01T10:00:00+0100"),
        event(colour="red"),
    ],
)
def test_slips_that_only_cleaning_forgives(sent: dict[str, Any]) -> None:
    assert not OF_ALL.is_valid(sent)
    assert reasons([sent]) == [None]


# Cleaning tells a text from an array by how it begins.
TEXTS = st.none() | st.text(alphabet="ab \u00e9\U0001f600", max_size=3)
VALUES = {
    FieldKind.STRING: TEXTS,
    FieldKind.TIMESTAMP: st.none()
    | st.sampled_from(
        ["2026-03-01T09:00:00Z", "2026-03-01T09:00:00.5+05:30", "2026-03-01", "", "soon"]
    ),
    FieldKind.DOUBLE: st.none() | st.floats(-1, 12) | st.integers(-1, 12),
    FieldKind.INTEGER: st.none() | st.integers(-1, 3),
    FieldKind.JSON: st.none() | st.dictionaries(st.text("ab", min_size=1), st.integers()),
}
EVENTS = st.fixed_dictionaries(
    {"event_type": st.sampled_from(list(EVENT_TYPES))},
    optional={
        name: VALUES[field.kind]
        for name, field in FIELDS.items()
        if name not in ("event_type", "occurred_at", "sent_at", "received_at")
    },
)
TIMED = st.tuples(EVENTS, VALUES[FieldKind.TIMESTAMP]).map(
    lambda pair: {**pair[0], "occurred_at": pair[1]}
)


@given(events=st.lists(TIMED, min_size=10, max_size=10))
def test_both_agree_about_any_event_in_the_form_to_send(events: list[dict[str, Any]]) -> None:
    for sent, reason in zip(events, reasons(events), strict=True):
        is_valid = OF_TYPE[sent["event_type"]].is_valid(sent)

        assert is_valid == (reason is None), (sent, reason)
        assert OF_ALL.is_valid(sent) == is_valid, sent
