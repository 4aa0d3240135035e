"""Descriptors as sources: protoc has to read what was meant."""

from __future__ import annotations

import base64
from tempfile import gettempdir
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from feedback_platform.events.schemas.protobuf.contract import contract_file
from feedback_platform.events.schemas.protobuf.source import (
    canonical_bytes,
    default_json_name,
    parse_protobuf,
    serialized,
)
from feedback_platform.events.schemas.protobuf.text import proto_text
from feedback_platform.events.schemas.schema import (
    InvalidSchemaError,
    Schema,
    SchemaReference,
    SchemaType,
    no_references,
)

EVERYTHING_OF_PROTO3 = """
syntax = "proto3";
// Of the package.
package shop.v1;
import "google/protobuf/timestamp.proto";
import public "google/type/money.proto";
option java_package = "com.\\"shop\\"";
option deprecated = true;
enum Size { option allow_alias = true; SMALL = 0; TINY = 0; LARGE = 5 [deprecated = true];
  reserved 7, 9 to 11, 20 to max; reserved "HUGE"; }
// An order.
// Two lines.
message Order {
  // A line.
  message Line { string item_id = 1; Order back = 2; enum Kind { NORMAL = 0; } Kind kind = 3; }
  optional int32 count = 1 [deprecated = true];
  repeated int64 packed = 2;
  repeated int64 unpacked = 3 [packed = false];
  map<string, Line> lines = 4;
  map<int32, bytes> blobs = 5;
  oneof choice { string text = 6; Line line = 7; }
  google.protobuf.Timestamp at = 8;
  google.type.Money price = 9;
  double other = 10 [json_name = "anotherName"];
  Size size = 11;
  reserved 100, 200 to 300, 1000 to max;
  reserved "gone";
}
service Shop { rpc Buy(Order) returns (stream Order); rpc Sell(stream Order) returns (Order); }
"""
EVERYTHING_OF_PROTO2 = """
syntax = "proto2";
message A {
  required string name = 1 [default = "a \\"b\\"\\n"];
  optional bytes raw = 2 [default = "\\001\\377"];
  optional int32 number = 3 [default = -5];
  optional double half = 4 [default = inf];
  optional Colour colour = 5 [default = RED];
  optional bool yes = 6 [default = true];
  enum Colour { GREEN = 1; RED = 2; }
  extensions 100 to 200, 500 to max;
}
"""
SHADOWED = """
syntax = "proto3";
package a.google;
import "google/protobuf/timestamp.proto";
message M { .google.protobuf.Timestamp at = 1; }
"""


def parsed(text: str) -> FileDescriptorProto:
    return parse_protobuf(Schema(text, SchemaType.PROTOBUF), no_references).file


@pytest.mark.parametrize("text", [EVERYTHING_OF_PROTO3, EVERYTHING_OF_PROTO2, SHADOWED])
def test_a_source_that_was_written_anew_says_the_same(text: str) -> None:
    file = parsed(text)

    written = proto_text(file)

    assert canonical_bytes(parsed(written)) == canonical_bytes(file)
    # What was written once is written the same again.
    assert proto_text(parsed(written)) == written


def test_comments_are_kept() -> None:
    written = proto_text(parsed(EVERYTHING_OF_PROTO3))

    assert "// An order.\n// Two lines.\nmessage Order {" in written
    assert "  // A line.\n  message Line {" in written


def test_a_descriptor_and_its_source_are_the_same() -> None:
    file = parsed(EVERYTHING_OF_PROTO3)

    assert canonical_bytes(parsed(serialized(file))) == canonical_bytes(file)


def test_the_contract_is_the_source_of_itself() -> None:
    assert canonical_bytes(parsed(proto_text(contract_file()))) == canonical_bytes(contract_file())


@pytest.mark.parametrize(
    ("name", "expected"),
    [("item_id", "itemId"), ("a", "a"), ("a__b", "aB"), ("a_1", "a1"), ("_x", "X"), ("aB", "aB")],
)
def test_json_names_follow_from_names(name: str, expected: str) -> None:
    file = parsed(f'syntax = "proto3"; message M {{ int32 {name} = 1; }}')

    assert default_json_name(name) == expected == file.message_type[0].field[0].json_name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('syntax = "proto3"; message A { strin x = 1; }', "schema.proto:1:32"),
        ('syntax = "proto3"; message A { int32 x = 1; int32 y = 1; }', "already been used"),
        ('syntax = "proto3"; import "nope.proto"; message A {}', "nope.proto"),
        ('syntax = "proto3"; import "../../etc/passwd"; message A {}', "virtual path"),
        ('syntax = "proto3";', "neither a message nor an enum"),
        ("", "neither a message nor an enum"),
        ("message A {" * 3000, "not valid"),
        ("\udc00", "not Unicode"),
        ("%%%", "not valid"),
        ("AAAA", "base64"),
        ("A", "base64"),
        ("\0", "not valid"),
    ],
)
def test_a_text_that_is_no_source_is_refused_with_the_reason(text: str, said: str) -> None:
    with pytest.raises(InvalidSchemaError) as refused:
        parsed(text)

    assert said in str(refused.value)
    assert gettempdir() not in str(refused.value)


def test_a_descriptor_whose_types_are_missing_is_refused() -> None:
    file = FileDescriptorProto(name="x", syntax="proto3")
    file.message_type.add(name="M").field.add(name="f", number=1, type=11, label=1, type_name=".N")

    with pytest.raises(InvalidSchemaError, match="does not link"):
        parsed(serialized(file))


def test_a_descriptor_whose_import_has_no_reference_is_refused() -> None:
    file = FileDescriptorProto(name="x", syntax="proto3", dependency=["other.proto"])
    file.message_type.add(name="M")

    with pytest.raises(InvalidSchemaError, match=r"'other\.proto', which is not among"):
        parsed(serialized(file))


def test_imports_in_a_circle_are_refused() -> None:
    text = 'syntax = "proto3"; import "b.proto"; message A {}'
    schema = Schema(text, SchemaType.PROTOBUF, (SchemaReference("b.proto", "b", 1),))

    with pytest.raises(InvalidSchemaError, match="circle"):
        parse_protobuf(schema, lambda _reference: schema)


def a_message(name: str = "M", **field: Any) -> FileDescriptorProto:
    file = FileDescriptorProto(name="x", syntax="proto3")
    file.message_type.add(name=name).field.add(
        **{"name": "f", "number": 1, "type": 11, "label": 1, "type_name": ".M", **field}
    )
    return file


def test_a_descriptor_that_no_compiler_writes_is_refused_with_the_reason() -> None:
    entry = a_message()
    entry.message_type[0].nested_type.add(name="E").options.map_entry = True
    undecodable = a_message().SerializeToString().replace(b"\x0a\x01M", b"\x0a\x01\xff")
    untyped = a_message()
    untyped.message_type[0].field[0].ClearField("type")

    for content, said in (
        (a_message(type_name="M").SerializeToString(), "'M'; it needs the full name"),
        (untyped.SerializeToString(), "field 'f' has no type"),
        (entry.SerializeToString(), "'E' is the entry of a map, but is no key and value"),
        (undecodable, "which is not Unicode text"),
    ):
        with pytest.raises(InvalidSchemaError, match=said):
            parsed(base64.b64encode(content).decode())


def test_a_source_that_takes_protoc_too_long_is_refused() -> None:
    numbers = ",".join(str(2 * number) for number in range(1, 120_000))

    with pytest.raises(InvalidSchemaError, match="too complex: protoc did not read it within 2 s"):
        parsed(f'syntax = "proto3"; message M {{ reserved {numbers}; }}')


def test_a_chain_of_imports_is_followed_to_a_limit() -> None:
    def importing(name: str) -> Schema:
        text = serialized(a_message())
        return Schema(text, SchemaType.PROTOBUF, (SchemaReference(name, name, 1),))

    with pytest.raises(InvalidSchemaError, match="imports more than 500 others"):
        parse_protobuf(importing("1"), lambda reference: importing(f"{reference.name}1"))


def test_an_import_leads_to_a_schema_of_the_same_type() -> None:
    schema = Schema("", SchemaType.PROTOBUF, (SchemaReference("a.proto", "a", 1),))

    with pytest.raises(InvalidSchemaError, match="leads to a schema of type JSON"):
        parse_protobuf(schema, lambda _reference: Schema("true", SchemaType.JSON))
