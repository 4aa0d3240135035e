"""Messages of schemas that were not known before, as dicts; Protobuf's own JSON is the oracle."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from google.protobuf import json_format, message_factory
from google.protobuf.message import Message
from hypothesis import example, given
from hypothesis import strategies as st

from feedback_platform.events.schemas.protobuf.decoding import (
    UnreadableMessageError,
    protobuf_decoder,
)
from feedback_platform.events.schemas.protobuf.source import parse_protobuf, serialized
from feedback_platform.events.schemas.schema import (
    InvalidSchemaError,
    Schema,
    SchemaReference,
    SchemaType,
    no_references,
)

SOURCE = """
syntax = "proto3";
package shop;
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";

message First { int32 x = 1; }

message Everything {
  enum Colour { NONE = 0; RED = 1; }
  message Nested { string name = 1; Nested inner = 2; repeated Nested many = 3; }
  optional bool a_bool = 1;
  optional int64 a_long = 2;
  optional uint64 a_ulong = 3;
  optional double a_double = 4;
  optional float a_float = 5;
  optional string a_text = 6;
  optional bytes some_bytes = 7;
  optional Colour a_colour = 8;
  repeated int32 numbers = 9;
  repeated Colour colours = 10;
  map<string, double> doubles = 11;
  map<int32, Nested> by_number = 12;
  map<bool, string> by_truth = 13;
  google.protobuf.Timestamp at = 14;
  google.protobuf.Duration lasted = 15;
  google.protobuf.Struct anything = 16;
  google.protobuf.StringValue wrapped = 17;
  google.protobuf.Int64Value wrapped_long = 18;
  google.protobuf.FloatValue wrapped_float = 19;
  google.protobuf.BytesValue wrapped_bytes = 20;
  google.protobuf.FieldMask mask = 21;
  Nested nested = 22;
  int32 implicit = 23;
  oneof choice { string chosen_text = 24; google.protobuf.NullValue chosen_null = 25; }
  google.protobuf.ListValue list = 26;
  google.protobuf.Value value = 27;
  repeated google.protobuf.Timestamp times = 28;
}
"""
SCHEMA = Schema(SOURCE, SchemaType.PROTOBUF)
DECODE = protobuf_decoder(SCHEMA, no_references)
EVERYTHING: type[Message] = message_factory.GetMessageClass(
    parse_protobuf(SCHEMA, no_references).linked().message_types_by_name["Everything"]
)


def decoded(**fields: Any) -> dict[str, Any]:
    message = EVERYTHING()
    json_format.ParseDict(fields, message)
    return DECODE(message.SerializeToString(), (1,))


def test_nothing_that_was_not_sent_appears() -> None:
    assert DECODE(b"", (1,)) == {}


def test_what_was_sent_appears_though_it_is_the_default() -> None:
    sent = {"a_bool": False, "a_long": 0, "a_double": 0.0, "a_text": "", "a_colour": "NONE"}

    assert decoded(**sent) == sent


def test_a_scalar_without_presence_is_left_out_at_its_default() -> None:
    assert decoded(implicit=0) == {}
    assert decoded(implicit=3) == {"implicit": 3}


def test_whole_numbers_of_64_bits_stay_numbers() -> None:
    assert decoded(a_long=-(2**63), a_ulong=2**64 - 1, wrapped_long=2**62) == {
        "a_long": -(2**63),
        "a_ulong": 2**64 - 1,
        "wrapped_long": 2**62,
    }


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        ("2026-11-23T10:00:00Z", "2026-11-23T10:00:00Z"),
        ("2026-11-23T10:00:00.5Z", "2026-11-23T10:00:00.500Z"),
        ("2026-11-23T12:00:00.000001+02:00", "2026-11-23T10:00:00.000001Z"),
        ("1969-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59.999999999Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
    ],
)
def test_a_timestamp_is_a_text_in_utc(sent: str, text: str) -> None:
    assert decoded(at=sent, times=[sent]) == {"at": text, "times": [text]}


@pytest.mark.parametrize(
    ("seconds", "nanos"), [(2**62, 0), (-(2**62), 0), (0, -1), (0, 10**9), (253402300800, 0)]
)
def test_a_timestamp_that_is_no_time_is_unreadable(seconds: int, nanos: int) -> None:
    message = EVERYTHING()
    message.at.seconds = seconds
    message.at.nanos = nanos

    with pytest.raises(UnreadableMessageError):
        DECODE(message.SerializeToString(), (1,))


def test_numbers_that_json_does_not_have_become_texts() -> None:
    assert decoded(a_double="NaN", doubles={"a": "-Infinity"}, a_float="Infinity") == {
        "a_double": "NaN",
        "doubles": {"a": "-Infinity"},
        "a_float": "Infinity",
    }


def test_a_number_of_32_bits_has_the_digits_that_were_written() -> None:
    assert decoded(a_float=0.1, wrapped_float=3.3) == {"a_float": 0.1, "wrapped_float": 3.3}


def test_enums_are_names_and_unknown_values_numbers() -> None:
    assert decoded(a_colour="RED", colours=["RED", 7]) == {
        "a_colour": "RED",
        "colours": ["RED", 7],
    }


def test_googles_own_types_are_what_their_json_is() -> None:
    sent: dict[str, Any] = {
        "lasted": "1.500s",
        "anything": {"a": [1, 2.5, "x", None, True, {"b": {}}]},
        "wrapped": "w",
        "wrapped_bytes": "AAE=",
        "some_bytes": "/w==",
        "list": [1],
        "value": {"v": 1},
        "chosen_null": None,
        "mask": "a,b.c",
    }

    assert decoded(**sent) == sent


def test_maps_have_texts_for_keys() -> None:
    sent = {"by_number": {"7": {"name": "seven"}}, "by_truth": {"true": "yes", "false": "no"}}

    assert decoded(**sent) == sent


def test_a_message_that_holds_its_own_kind() -> None:
    sent: dict[str, Any] = {
        "nested": {"name": "a", "inner": {"name": "b"}, "many": [{}, {"name": "c"}]}
    }

    assert decoded(**sent) == sent


def test_the_first_message_is_at_zero_and_nested_ones_behind_their_holder() -> None:
    assert DECODE(b"\x08\x05", (0,)) == {"x": 5}
    assert DECODE(b"\x0a\x01n", (1, 0)) == {"name": "n"}


@pytest.mark.parametrize("indexes", [(2,), (0, 0), (1, 0, 0), ()])
def test_indexes_that_lead_nowhere_are_unreadable(indexes: tuple[int, ...]) -> None:
    with pytest.raises(UnreadableMessageError):
        DECODE(b"", indexes)


@pytest.mark.parametrize(
    "content",
    [
        b"\xff",
        b"\x32\x05ab",  # a text that is longer than the message
        b"\x32\x02\xff\xfe",  # a text that is not UTF-8
        b"\xb2\x01\x02" * 3,
    ],
)
def test_bytes_that_are_no_message_are_unreadable(content: bytes) -> None:
    with pytest.raises(UnreadableMessageError):
        DECODE(content, (1,))


def test_a_number_of_another_kind_is_kept_apart_as_unknown() -> None:
    # Field 2 is a varint in the schema; these bytes hold four of its own there.
    assert DECODE(b"\x15" + struct.pack("<f", 1.0), (1,)) == {}


def test_a_schema_may_come_as_its_descriptor() -> None:
    file = parse_protobuf(SCHEMA, no_references).file
    decode = protobuf_decoder(Schema(serialized(file), SchemaType.PROTOBUF), no_references)

    assert decode(b"\x08\x05", (0,)) == {"x": 5}


def test_imports_are_found_through_the_references() -> None:
    text = 'syntax = "proto3"; import "b/c.proto"; message A { b.C c = 1; }'
    schema = Schema(text, SchemaType.PROTOBUF, (SchemaReference("b/c.proto", "c", 3),))
    imported = Schema(
        'syntax = "proto3"; package b; message C { int32 x = 1; }', SchemaType.PROTOBUF
    )

    def resolve(reference: SchemaReference) -> Schema:
        assert (reference.subject, reference.version) == ("c", 3)
        return imported

    assert protobuf_decoder(schema, resolve)(b"\x0a\x02\x08\x05", (0,)) == {"c": {"x": 5}}
    with pytest.raises(InvalidSchemaError, match=r"b/c\.proto"):
        protobuf_decoder(schema, no_references)


STRUCT_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(), parts, max_size=3),
    max_leaves=8,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "a_bool": st.booleans(),
        "a_double": st.floats(allow_nan=False, allow_infinity=False),
        "a_float": st.floats(width=32, allow_nan=False, allow_infinity=False),
        "a_text": st.text(),
        "numbers": st.lists(st.integers(-(2**31), 2**31 - 1)),
        "doubles": st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False)),
        "anything": st.dictionaries(st.text(), STRUCT_VALUES, max_size=3),
        "nested": st.fixed_dictionaries({}, optional={"name": st.text(min_size=1)}),
        "wrapped": st.text(),
        "implicit": st.integers(-(2**31), 2**31 - 1),
    },
)


@given(fields=FIELDS)
@example(fields={"a_float": 1113995935219712.0})
def test_any_message_is_what_protobufs_own_json_says(fields: dict[str, Any]) -> None:
    message = EVERYTHING()
    json_format.ParseDict(fields, message)
    expected = json_format.MessageToDict(message, preserving_proto_field_name=True)

    found = DECODE(message.SerializeToString(), (1,))

    assert found == expected
    assert json.loads(json.dumps(found, allow_nan=False)) == found


@given(content=st.binary(max_size=100))
def test_any_bytes_are_a_message_or_unreadable(content: bytes) -> None:
    try:
        found = DECODE(content, (1,))
    except UnreadableMessageError:
        return
    json.dumps(found, allow_nan=False)
