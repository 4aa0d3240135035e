"""What a changed .proto file does to old messages; reading them is the oracle where it can be."""

from __future__ import annotations

import copy
import time

import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.events.schemas.compatibility.protobuf import protobuf_incompatibilities
from feedback_platform.events.schemas.protobuf.source import ProtobufFile, parse_protobuf
from feedback_platform.events.schemas.protobuf.text import proto_text
from feedback_platform.events.schemas.schema import Schema, SchemaType, no_references


def read(body: str, *, syntax: str = "proto3", package: str = "p") -> ProtobufFile:
    text = f'syntax = "{syntax}"; package {package}; {body}'
    return parse_protobuf(Schema(text, SchemaType.PROTOBUF), no_references)


# Writer, then reader.
COMPATIBLE = {
    "a field more": ("message M { int32 a = 1; }", "message M { int32 a = 1; int32 b = 2; }"),
    "a field less": ("message M { int32 a = 1; int32 b = 2; }", "message M { int32 a = 1; }"),
    "a field is renamed": ("message M { int32 a = 1; }", "message M { int32 b = 1; }"),
    "numbers that are encoded alike": ("message M { int32 a = 1; }", "message M { int64 a = 1; }"),
    "texts and bytes": ("message M { string a = 1; }", "message M { bytes a = 1; }"),
    "an enum is a number": (
        "enum E { A = 0; } message M { E e = 1; }",
        "message M { int32 e = 1; }",
    ),
    "one text of many": ("message M { string a = 1; }", "message M { repeated string a = 1; }"),
    "a message more": ("message M {}", "message N {} message M {}"),
    "presence": ("message M { int32 a = 1; }", "message M { optional int32 a = 1; }"),
    "one field moves into a oneof": (
        "message M { int32 a = 1; int32 b = 2; }",
        "message M { oneof o { int32 a = 1; } int32 b = 2; }",
    ),
    "a new choice": (
        "message M { oneof o { int32 a = 1; } }",
        "message M { oneof o { int32 a = 1; int32 b = 2; } }",
    ),
    "values of an enum": (
        "enum E { A = 0; B = 1; } message M { E e = 1; }",
        "enum E { A = 0; C = 2; } message M { E e = 1; }",
    ),
    "maps keep their kinds": (
        "message M { map<string, int32> m = 1; }",
        "message M { map<string, int32> renamed = 1; }",
    ),
}
INCOMPATIBLE = {
    "a message is gone": ("message M {} message N {}", "message M {}", "message N: it is gone"),
    "a nested message is gone": ("message M { message N {} }", "message M {}", "M.N: it is gone"),
    "a number means another kind": (
        "message M { int32 a = 1; }",
        "message M { string a = 1; }",
        "field 1 (a): it is string now, and was int32",
    ),
    "zigzag is another encoding": (
        "message M { int32 a = 1; }",
        "message M { sint32 a = 1; }",
        "sint32",
    ),
    "fixed widths differ": (
        "message M { fixed32 a = 1; }",
        "message M { fixed64 a = 1; }",
        "fixed64",
    ),
    "another message": (
        "message A {} message B {} message M { A a = 1; }",
        "message A {} message B {} message M { B a = 1; }",
        "it is p.B now, and was p.A",
    ),
    "many numbers into one": (
        "message M { repeated int32 a = 1; }",
        "message M { int32 a = 1; }",
        "it is single now, and was repeated",
    ),
    "fields that begin to exclude each other": (
        "message M { int32 a = 1; int32 b = 2; }",
        "message M { oneof o { int32 a = 1; int32 b = 2; } }",
        "a, b exclude each other now",
    ),
    "a choice less": (
        "message M { oneof o { int32 a = 1; int32 b = 2; } }",
        "message M { oneof o { int32 a = 1; } }",
        "b is gone",
    ),
    "values of a map": (
        "message M { map<string, int32> m = 1; }",
        "message M { map<string, string> m = 1; }",
        "field 2 (value): it is string now",
    ),
    "a field within a field": (
        "message N { int32 a = 1; } message M { N n = 1; }",
        "message N { double a = 1; } message M { N n = 1; }",
        "message N, field 1",
    ),
}


@pytest.mark.parametrize(("writer", "reader"), COMPATIBLE.values(), ids=COMPATIBLE)
def test_a_reader_that_understands_all_that_was_written(writer: str, reader: str) -> None:
    assert protobuf_incompatibilities(read(reader), read(writer)) == []


@pytest.mark.parametrize(("writer", "reader", "said"), INCOMPATIBLE.values(), ids=INCOMPATIBLE)
def test_a_reader_that_misreads_some_of_it(writer: str, reader: str, said: str) -> None:
    assert said in " ".join(protobuf_incompatibilities(read(reader), read(writer)))


def test_a_required_field_may_not_come_later() -> None:
    writer = read("message M { optional int32 a = 1; }", syntax="proto2")
    reader = read("message M { required int32 a = 1; required int32 b = 2; }", syntax="proto2")

    assert protobuf_incompatibilities(reader, writer) == [
        "message M, field 1 (a): it is required now",
        "message M, field 2 (b): it is required now",
    ]
    assert protobuf_incompatibilities(writer, reader) == []


def test_a_package_that_is_renamed_changes_nothing_on_the_wire() -> None:
    body = "message N {} message M { N n = 1; M m = 2; }"

    assert protobuf_incompatibilities(read(body, package="q"), read(body)) == []


@pytest.mark.parametrize(
    "field", ["optional int32 f{0} = {0};", "oneof o{0} {{ int32 f{0} = {0}; }}"]
)
def test_as_many_choices_as_there_are_fields_are_compared_soon(field: str) -> None:
    """Each `optional` is a choice of its own; each was once compared with all the others."""
    numbers = range(1, 6_001)
    writer = read("message M {" + "".join(field.format(number) for number in numbers) + "}")
    reader = read("message M {" + "".join(field.format(number) for number in numbers[1:]) + "}")
    started = time.process_time()

    assert protobuf_incompatibilities(writer, writer) == []
    lost = protobuf_incompatibilities(reader, writer)
    assert proto_text(writer.file).count("= 6000;") == 1

    assert lost == (
        []
        if "optional" in field
        else ["message M, oneof o1: f1 is gone, so the choice would be lost"]
    )
    assert time.process_time() - started < 5


def test_no_more_reasons_are_given_than_a_person_reads() -> None:
    writer = read("".join(f"message M{number} {{}}" for number in range(80)))

    assert len(protobuf_incompatibilities(read("message A {}"), writer)) == 50


KINDS = [
    FieldDescriptorProto.TYPE_INT32,
    FieldDescriptorProto.TYPE_SINT64,
    FieldDescriptorProto.TYPE_FIXED32,
    FieldDescriptorProto.TYPE_DOUBLE,
    FieldDescriptorProto.TYPE_STRING,
    FieldDescriptorProto.TYPE_BYTES,
    FieldDescriptorProto.TYPE_MESSAGE,
]


@st.composite
def files(draw: st.DrawFn) -> ProtobufFile:
    file = FileDescriptorProto(name="f.proto", package="p", syntax="proto3")
    message = file.message_type.add(name="M")
    oneof = draw(st.booleans())
    if oneof:
        message.oneof_decl.add(name="o")
    for number in draw(st.sets(st.integers(1, 5), max_size=4)):
        field = message.field.add(
            name=f"f{number}", number=number, type=draw(st.sampled_from(KINDS)), label=1
        )
        if field.type == FieldDescriptorProto.TYPE_MESSAGE:
            field.type_name = ".p.M"
        if oneof and draw(st.booleans()):
            field.oneof_index = 0
        elif draw(st.booleans()):
            field.label = FieldDescriptorProto.LABEL_REPEATED
    if oneof and not any(field.HasField("oneof_index") for field in message.field):
        message.field.add(name="f9", number=9, type=5, label=1, oneof_index=0)
    return ProtobufFile(file, ())


@given(file=files())
def test_every_file_understands_itself(file: ProtobufFile) -> None:
    assert protobuf_incompatibilities(copy.deepcopy(file), file) == []


@given(reader=files(), writer=files())
def test_what_a_compatible_reader_reads_and_passes_on_is_not_lost(
    reader: ProtobufFile, writer: ProtobufFile
) -> None:
    if protobuf_incompatibilities(reader, writer):
        return
    write_type, read_type = (
        message_factory.GetMessageClass(file.linked().message_types_by_name["M"])
        for file in (writer, reader)
    )
    message = write_type()
    # One value each: of several, a reader that expects one takes the last.
    values = {
        FieldDescriptorProto.TYPE_STRING: "ab",
        FieldDescriptorProto.TYPE_BYTES: b"ab",
        FieldDescriptorProto.TYPE_DOUBLE: 1.5,
        FieldDescriptorProto.TYPE_MESSAGE: write_type(),
    }
    for field in message.DESCRIPTOR.fields:
        value = values.get(field.type, 7)
        if field.is_repeated:
            getattr(message, field.name).append(value)
        elif field.message_type is not None:
            getattr(message, field.name).SetInParent()
        else:
            setattr(message, field.name, value)

    passed_on = read_type.FromString(message.SerializeToString()).SerializeToString()

    assert write_type.FromString(passed_on) == message
