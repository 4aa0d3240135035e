from __future__ import annotations

import base64
import time
from collections.abc import Iterator

import orjson
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from feedback_platform.events.registry.registry import SchemaRegistry
from feedback_platform.events.schemas.framing import write_frame
from feedback_platform.events.schemas.schema import (
    Schema,
    SchemaNotFoundError,
    SchemaReference,
    SchemaType,
)
from feedback_platform.ingestion import kinesis_decoding
from feedback_platform.ingestion.decoding import MessageDecoder
from feedback_platform.ingestion.external_schemas import (
    ExternalSchemas,
    SchemaRegistryAccessError,
    SchemaRegistryUnavailableError,
)
from feedback_platform.ingestion.kinesis_decoding import kinesis_pieces
from feedback_platform.ingestion.schemas import (
    EmbeddedSchemas,
    ForeignSchemaError,
    SchemaSource,
)
from feedback_platform.ingestion.streams.pieces import Piece
from feedback_platform.lake.store import Lake
from feedback_platform_tests.serving.registry_server import running_registry

JSON_SCHEMA = Schema('{"type": "object"}', SchemaType.JSON)
MONEY = Schema(
    'syntax = "proto3"; package shop; message Money { int64 cents = 1; }', SchemaType.PROTOBUF
)
ORDER = Schema(
    'syntax = "proto3"; package shop; import "money.proto";'
    "message Paid { string order_id = 1; Money total = 2;"
    " message Refunded { string why = 1; } }",
    SchemaType.PROTOBUF,
    (SchemaReference("money.proto", "money", 1),),
)


@pytest.fixture
def registry(lake: Lake) -> SchemaRegistry:
    return SchemaRegistry(lake)


@pytest.fixture(params=["embedded", "external"])
def schemas(request: pytest.FixtureRequest, lake: Lake) -> Iterator[SchemaSource]:
    """Each place where schemas are found: one suite says what it is."""
    if request.param == "embedded":
        yield EmbeddedSchemas(lake)
        return
    with running_registry(lake) as server:
        external = ExternalSchemas(server.url)
        yield external
        external.close()


def order_bytes() -> bytes:
    """An order of 1,999 cents, written without the schema: field numbers by hand."""
    money = b"\x08\xcf\x0f"
    return b"\x0a\x02o1\x12" + bytes([len(money)]) + money


def test_plain_json_needs_no_schema(schemas: SchemaSource) -> None:
    assert MessageDecoder(schemas)(b'{"a": 1}') == [Piece(b'{"a": 1}')]


def test_framed_json_is_what_follows_the_frame(
    schemas: SchemaSource, registry: SchemaRegistry
) -> None:
    schema_id = registry.register("orders-value", JSON_SCHEMA)
    decode = MessageDecoder(schemas)

    assert decode(write_frame(schema_id, b'{"a": 1}')) == [Piece(b'{"a": 1}')]
    broken = write_frame(schema_id, b"[1]")
    assert decode(broken) == [Piece(broken, "not a JSON object")]


def test_framed_protobuf_is_read_by_the_schema_and_those_that_it_imports(
    schemas: SchemaSource, registry: SchemaRegistry
) -> None:
    registry.register("money", MONEY)
    schema_id = registry.register("orders-value", ORDER)
    decode = MessageDecoder(schemas)

    ((content, problem),) = decode(write_frame(schema_id, order_bytes(), (0,)))
    assert problem is None
    assert orjson.loads(content) == {"order_id": "o1", "total": {"cents": 1999}}

    ((content, _),) = decode(write_frame(schema_id, b"\x0a\x04late", (0, 0)))
    assert orjson.loads(content) == {"why": "late"}


@pytest.mark.parametrize(
    "tail",
    [b"", b"\x00\xff\xff", b"\x02\x0e", b"\x00\x0a\x05ab", b"\x02"],
    ids=["no indexes", "garbage", "no such message", "cut short", "cut indexes"],
)
def test_what_is_no_message_of_its_schema_keeps_its_bytes(
    schemas: SchemaSource, registry: SchemaRegistry, tail: bytes
) -> None:
    registry.register("money", MONEY)
    schema_id = registry.register("orders-value", ORDER)
    value = b"\0" + schema_id.to_bytes(4, "big") + tail

    assert MessageDecoder(schemas)(value) == [Piece(value, f"not a message of schema {schema_id}")]


def test_an_unknown_schema_is_asked_for_once_in_a_while(
    schemas: SchemaSource, registry: SchemaRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode = MessageDecoder(schemas)
    value = write_frame(4095, b"{}")
    assert decode(value) == [Piece(value, "schema 4095 is not registered")]

    # Until then nobody is asked: an answer would be an error here.
    monkeypatch.setattr(decode, "_schemas", None)
    assert decode(value) == [Piece(value, "schema 4095 is not registered")]

    monkeypatch.setattr(decode, "_schemas", schemas)
    later = time.monotonic() + 6
    monkeypatch.setattr(time, "monotonic", lambda: later)
    schema_id = registry.register("orders-value", JSON_SCHEMA)
    assert decode(write_frame(schema_id, b"{}")) == [Piece(b"{}")]
    assert decode(value) == [Piece(value, "schema 4095 is not registered")]


def test_a_message_without_a_value_is_no_event(schemas: SchemaSource) -> None:
    assert MessageDecoder(schemas)(None) == [Piece(b"", "no value")]


class ForeignSchemas:
    def schema(self, schema_id: int) -> Schema:
        raise ForeignSchemaError(f"schema {schema_id} is written in Avro")

    def referenced(self, reference: SchemaReference) -> Schema:
        raise SchemaNotFoundError(reference.name)


def test_a_schema_in_another_language_is_a_problem_of_its_messages() -> None:
    value = write_frame(1, b"x")
    assert MessageDecoder(ForeignSchemas())(value) == [
        Piece(value, "schema 1 is neither JSON Schema nor Protobuf")
    ]


def test_a_registry_that_does_not_answer_is_waited_for() -> None:
    schemas = ExternalSchemas("http://someone:secret@127.0.0.1:9/registry")
    with pytest.raises(SchemaRegistryUnavailableError) as raised:
        MessageDecoder(schemas)(write_frame(1, b"{}"))
    schemas.close()
    assert "http://127.0.0.1:9/registry does not answer" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_an_address_where_no_registry_is_refuses(lake: Lake) -> None:
    with running_registry(lake) as server:
        schemas = ExternalSchemas(server.url.replace("/registry", "/elsewhere"))
        with pytest.raises(SchemaRegistryAccessError, match="FEEDBACK_SCHEMA_REGISTRY_URL"):
            MessageDecoder(schemas)(write_frame(1, b"{}"))
        schemas.close()


def test_a_serialised_descriptor_is_a_schema_too(
    schemas: SchemaSource, registry: SchemaRegistry
) -> None:
    file = descriptor_pb2.FileDescriptorProto(name="seen.proto", package="shop", syntax="proto3")
    message = file.message_type.add(name="Seen")
    message.field.add(
        name="item_id",
        number=1,
        type=descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
        label=descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL,
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    seen = message_factory.GetMessageClass(pool.FindMessageTypeByName("shop.Seen"))
    text = base64.b64encode(file.SerializeToString()).decode()
    schema_id = registry.register("seen-value", Schema(text, SchemaType.PROTOBUF))

    value = write_frame(schema_id, seen(item_id="i7").SerializeToString(), (0,))

    assert MessageDecoder(schemas)(value) == [Piece(b'{"item_id":"i7"}')]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b'{"a":1}', [Piece(b'{"a":1}')]),
        (b'{"a":1}\n', [Piece(b'{"a":1} ')]),
        (b'{"a":1}{"a":2}', [Piece(b'{"a":1}'), Piece(b'{"a":2}')]),
        (b' {"a":1}\r\n\n{"a":\n2} ', [Piece(b'{"a":1}'), Piece(b'{"a": 2}')]),
        (
            b'{"a":1}\n{"a":\n{"a":3}',
            [Piece(b'{"a":1}'), Piece(b'{"a":', "not JSON"), Piece(b'{"a":3}')],
        ),
        (b'{"a":1}[2]', [Piece(b'{"a":1}'), Piece(b"[2]", "not a JSON object")]),
        (b'{"a":NaN}{"a":1}', [Piece(b'{"a":NaN}', "not JSON"), Piece(b'{"a":1}')]),
        (b"[" * 100_000, [Piece(b"[" * 100_000, "not JSON")]),
        (b"\xff{}", [Piece(b"\xff{}", "not JSON")]),
        (b" \n", [Piece(b" \n", "not JSON")]),
        (b"", [Piece(b"", "no value")]),
        (None, [Piece(b"", "no value")]),
    ],
)
def test_a_kinesis_record_holds_objects_one_after_the_other(
    value: bytes | None, expected: list[Piece]
) -> None:
    assert kinesis_pieces(value) == expected


HOSTILE = [
    b"1 " * (kinesis_decoding.MOST_PIECES + 1),
    b"{}" * (kinesis_decoding.MOST_PIECES + 1),
    b"{}" + b"x\n" * (kinesis_decoding.MOST_FAILURES + 1),
    b"{}" + b"[\n" * 500_000,
    b"{}" + (b"[" + b"1," * 1000 + b"\n") * 500,
    b'{"a":1}' + b"[\n" * 900 + b'"' + b"a" * 1_000_000,
]


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_a_kinesis_record_of_too_much_is_one_piece_and_takes_no_longer(value: bytes) -> None:
    began = time.process_time()

    (piece,) = kinesis_pieces(value)

    assert (piece.content, (piece.problem or "")[:15]) == (value, "too many pieces")
    # Decoding it anew behind every failure would take minutes.
    assert time.process_time() - began < 5


def test_a_kinesis_record_may_have_as_many_pieces_and_failures_as_is_said() -> None:
    most = b"{}" * (kinesis_decoding.MOST_PIECES - kinesis_decoding.MOST_FAILURES) + b"\n"
    pieces = kinesis_pieces(most + b"x\n" * kinesis_decoding.MOST_FAILURES)

    assert len(pieces) == kinesis_decoding.MOST_PIECES
    assert sum(piece.problem is not None for piece in pieces) == kinesis_decoding.MOST_FAILURES
