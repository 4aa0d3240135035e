"""The registry as Confluent's own Python client uses it, unmodified, over HTTP."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.schema_registry import (
    Schema,
    SchemaReference,
    SchemaRegistryClient,
    ServerConfig,
)
from confluent_kafka.schema_registry.common.schema_registry_client import ConfigCompatibilityLevel
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext, SerializationError
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message

from feedback_platform.errors import LakeUnavailableError
from feedback_platform.events.contract import EVENT_TYPES
from feedback_platform.events.registry.registry import SchemaRegistry
from feedback_platform.events.schemas.framing import read_frame
from feedback_platform.events.schemas.protobuf.contract import contract_file
from feedback_platform.events.schemas.protobuf.decoding import protobuf_decoder
from feedback_platform.lake.store import Lake
from feedback_platform_tests.serving.registry_server import (
    FailingStore,
    RegistryServer,
    running_registry,
)

RATING = {
    "event_id": "e1",
    "event_type": "item_rated",
    "user_id": "u1",
    "item_id": "i1",
    "value": 4.5,
    "occurred_at": "2026-11-23T10:00:00Z",
}
CITY = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["name"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return Lake(f"file://{tmp_path_factory.mktemp('lake')}")


@pytest.fixture(scope="module")
def server(lake: Lake) -> Iterator[RegistryServer]:
    with running_registry(lake) as running:
        yield running


@pytest.fixture
def client(server: RegistryServer) -> Iterator[SchemaRegistryClient]:
    with SchemaRegistryClient({"url": server.url, "max.retries": 0}) as client:
        yield client


def of_topic(topic: str) -> SerializationContext:
    return SerializationContext(topic, MessageField.VALUE)


def json_schema(schema: Any) -> Schema:
    return Schema(json.dumps(schema), "JSON")


def message_type(file: descriptor_pb2.FileDescriptorProto, name: str) -> type[Message]:
    """A message class as protoc's generated code would have it, in a pool of its own."""
    from google.protobuf import struct_pb2, timestamp_pb2

    pool = descriptor_pool.DescriptorPool()
    for module in (struct_pb2, timestamp_pb2):
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    found: type[Message] = message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
    return found


def test_a_new_registry_has_the_contract(client: SchemaRegistryClient) -> None:
    subjects = set(client.get_subjects())

    assert subjects >= {*EVENT_TYPES, "event", "feedback-events-value"}
    registered = client.get_latest_version("item_rated")
    assert registered.version == EVENT_TYPES["item_rated"].version
    assert registered.schema.schema_type == "JSON"
    assert registered.schema.schema_str is not None
    assert json.loads(registered.schema.schema_str)["title"] == "item_rated"


def test_json_of_the_contract_makes_the_round_trip(client: SchemaRegistryClient) -> None:
    text = client.get_latest_version("item_rated").schema.schema_str
    assert text is not None
    serialise = JSONSerializer(text, client)
    deserialise = JSONDeserializer(None, schema_registry_client=client)

    framed = serialise(RATING, of_topic("ratings"))

    assert framed is not None
    assert deserialise(framed, of_topic("ratings")) == RATING
    frame = read_frame(framed, is_protobuf=False)
    assert json.loads(frame.payload) == RATING
    # The same text under another subject has the same id.
    assert client.get_schema_versions(frame.schema_id) != []
    assert {version.subject for version in client.get_schema_versions(frame.schema_id)} == {
        "item_rated",
        "ratings-value",
    }
    assert set(client.get_subjects_by_schema_id(frame.schema_id)) == {"item_rated", "ratings-value"}


def test_the_clients_own_validator_refuses_what_the_contract_refuses(
    client: SchemaRegistryClient,
) -> None:
    text = client.get_latest_version("item_rated").schema.schema_str
    assert text is not None
    serialise = JSONSerializer(text, client)

    with pytest.raises(SerializationError, match="maximum of 5"):
        serialise({**RATING, "value": 6}, of_topic("ratings"))


def test_an_event_of_any_type_is_serialised_by_the_schema_over_all(
    client: SchemaRegistryClient,
) -> None:
    text = client.get_latest_version("event").schema.schema_str
    assert text is not None
    serialise = JSONSerializer(text, client)
    deserialise = JSONDeserializer(None, schema_registry_client=client)
    page = {"event_id": "p", "event_type": "page_viewed", "anonymous_id": "a"}

    for event in (RATING, page):
        framed = serialise(event, of_topic("everything"))
        assert framed is not None
        assert deserialise(framed, of_topic("everything")) == event
    with pytest.raises(SerializationError):
        serialise({"event_id": "p", "event_type": "page_viewed"}, of_topic("everything"))


def test_protobuf_of_the_contract_makes_the_round_trip(
    client: SchemaRegistryClient, lake: Lake
) -> None:
    event_type = message_type(contract_file(), "feedback.events.v1.Event")
    serialise = ProtobufSerializer(event_type, client)
    deserialise = ProtobufDeserializer(event_type, schema_registry_client=client)
    event = event_type(event_id="e", event_type="item_rated", user_id="u", item_id="i", value=0.0)
    event.occurred_at.FromJsonString("2026-11-23T10:00:00.5Z")
    event.properties.update({"page": 3})

    framed = serialise(event, of_topic("feedback-events"))

    assert framed is not None
    assert deserialise(framed, of_topic("feedback-events")) == event
    frame = read_frame(framed, is_protobuf=True)
    # The client registers the descriptor; the contract registered its source: one schema.
    assert frame.schema_id == client.get_latest_version("feedback-events-value").schema_id
    registry = SchemaRegistry(lake)
    decode = protobuf_decoder(registry.schema(frame.schema_id), registry.resolve)
    assert decode(frame.payload, frame.message_indexes) == {
        "event_id": "e",
        "event_type": "item_rated",
        "user_id": "u",
        "item_id": "i",
        "value": 0.0,
        "occurred_at": "2026-11-23T10:00:00.500Z",
        "properties": {"page": 3},
    }


def test_a_nested_message_of_an_imported_file_makes_the_round_trip(
    client: SchemaRegistryClient, lake: Lake
) -> None:
    colours = descriptor_pb2.FileDescriptorProto(
        name="shop/colours.proto", package="shop", syntax="proto3"
    )
    colour = colours.message_type.add(name="Colour")
    colour.field.add(name="red", number=1, type=5, label=1)
    shop = descriptor_pb2.FileDescriptorProto(
        name="shop/orders.proto",
        package="shop",
        syntax="proto3",
        dependency=["shop/colours.proto"],
    )
    shop.message_type.add(name="Unused")
    line = shop.message_type.add(name="Order").nested_type.add(name="Line")
    line.field.add(name="colour", number=1, type=11, type_name=".shop.Colour", label=1)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(colours)
    pool.Add(shop)
    line_type = message_factory.GetMessageClass(pool.FindMessageTypeByName("shop.Order.Line"))
    message = line_type()
    message.colour.red = 7

    framed = ProtobufSerializer(line_type, client)(message, of_topic("lines"))

    assert framed is not None
    deserialise = ProtobufDeserializer(line_type, schema_registry_client=client)
    assert deserialise(framed, of_topic("lines")) == message
    frame = read_frame(framed, is_protobuf=True)
    assert frame.message_indexes == (1, 0)
    registry = SchemaRegistry(lake)
    decode = protobuf_decoder(registry.schema(frame.schema_id), registry.resolve)
    assert decode(frame.payload, frame.message_indexes) == {"colour": {"red": 7}}
    assert client.get_referenced_by("shop/colours.proto", 1) == [frame.schema_id]


def test_an_incompatible_version_is_refused_with_the_reason(client: SchemaRegistryClient) -> None:
    client.register_schema("cities-value", json_schema(CITY))
    narrowed = {**CITY, "required": ["name", "people"]}

    assert not client.test_compatibility("cities-value", json_schema(narrowed))
    with pytest.raises(SchemaRegistryError, match="'people' is required now") as refused:
        client.register_schema("cities-value", json_schema(narrowed))

    assert (refused.value.http_status_code, refused.value.error_code) == (409, 40901)
    assert client.get_versions("cities-value") == [1]


def test_a_compatible_version_gets_the_next_number(client: SchemaRegistryClient) -> None:
    client.register_schema("rivers-value", json_schema(CITY))
    wider = {**CITY, "properties": {**CITY["properties"], "mayor": {"type": "string"}}}  # type: ignore[dict-item]

    assert client.test_compatibility("rivers-value", json_schema(wider))
    assert client.test_compatibility_all_versions("rivers-value", json_schema(wider))
    new_id = client.register_schema("rivers-value", json_schema(wider))

    assert client.get_versions("rivers-value") == [1, 2]
    assert client.lookup_schema("rivers-value", json_schema(wider)).version == 2
    assert client.get_version("rivers-value", 2).schema_id == new_id
    assert client.get_latest_version("rivers-value").schema_id == new_id


def test_a_change_of_the_contract_that_breaks_it_is_refused(client: SchemaRegistryClient) -> None:
    latest = client.get_latest_version("feedback-events-value", "serialized")
    file = contract_file()
    file.message_type[0].field[9].type = descriptor_pb2.FieldDescriptorProto.TYPE_STRING
    changed = Schema(base64.b64encode(file.SerializeToString()).decode(), "PROTOBUF")

    with pytest.raises(SchemaRegistryError, match="is string now, and was double"):
        client.register_schema("feedback-events-value", changed)
    assert client.get_latest_version("feedback-events-value").version == latest.version


def test_the_level_of_a_subject_decides(client: SchemaRegistryClient) -> None:
    client.register_schema("lakes-value", json_schema(CITY))
    narrowed = {**CITY, "required": ["name", "people"]}
    assert client.get_compatibility() == "BACKWARD"

    assert client.set_compatibility("lakes-value", "FORWARD") == {"compatibility": "FORWARD"}
    assert client.get_compatibility("lakes-value") == "FORWARD"
    client.register_schema("lakes-value", json_schema(narrowed))

    deleted = client.delete_config("lakes-value")
    assert deleted.compatibility_level == "FORWARD"
    with pytest.raises(SchemaRegistryError) as missing:
        client.get_compatibility("lakes-value")
    assert missing.value.error_code == 40408
    changed = client.set_config(
        "lakes-value", ServerConfig(compatibility=ConfigCompatibilityLevel.FULL)
    )
    assert changed == {"compatibility": "FULL"}


def test_versions_and_subjects_are_deleted_and_then_gone(client: SchemaRegistryClient) -> None:
    schema_id = client.register_schema("seas-value", json_schema({**CITY, "title": "sea"}))
    assert client.delete_subject("seas-value") == [1]

    assert "seas-value" not in client.get_subjects()
    assert "seas-value" in client.get_subjects(deleted=True)
    # What was written with it can still be read.
    assert client.get_schema(schema_id).schema_str is not None

    assert client.delete_subject("seas-value", permanent=True) == [1]
    client.clear_caches()
    assert "seas-value" not in client.get_subjects(deleted=True)
    with pytest.raises(SchemaRegistryError) as gone:
        client.get_schema(schema_id)
    assert (gone.value.http_status_code, gone.value.error_code) == (404, 40403)


def test_one_version_is_deleted_for_good(client: SchemaRegistryClient) -> None:
    client.register_schema("ponds-value", json_schema(CITY))
    wider = {**CITY, "properties": {**CITY["properties"], "mayor": {"type": "string"}}}  # type: ignore[dict-item]
    client.register_schema("ponds-value", json_schema(wider))

    with pytest.raises(SchemaRegistryError) as too_early:
        client.delete_version("ponds-value", 1, permanent=True)
    assert too_early.value.error_code == 40407
    assert client.delete_version("ponds-value", 1) == 1
    assert client.delete_version("ponds-value", 1, permanent=True) == 1

    assert client.get_versions("ponds-value", deleted=True) == [2]


def test_a_json_schema_refers_to_another_subject(client: SchemaRegistryClient) -> None:
    client.register_schema("name.json", json_schema({"type": "string", "minLength": 1}))
    person = Schema(
        json.dumps(
            {"type": "object", "properties": {"name": {"$ref": "name.json"}}, "title": "person"}
        ),
        "JSON",
        [SchemaReference("name.json", "name.json", 1)],
    )
    serialise = JSONSerializer(person, client)
    deserialise = JSONDeserializer(None, schema_registry_client=client)

    framed = serialise({"name": "Ada"}, of_topic("people"))

    assert framed is not None
    assert deserialise(framed, of_topic("people")) == {"name": "Ada"}
    with pytest.raises(SerializationError):
        serialise({"name": ""}, of_topic("people"))
    with pytest.raises(SchemaRegistryError) as referenced:
        client.delete_version("name.json", 1)
    assert referenced.value.error_code == 42206


def failure(action: Callable[[], object]) -> tuple[int, int]:
    with pytest.raises(SchemaRegistryError) as refused:
        action()
    assert refused.value.error_message
    return refused.value.http_status_code, refused.value.error_code


def test_the_client_is_told_what_is_wrong_by_the_protocols_codes(
    client: SchemaRegistryClient,
) -> None:
    text = json_schema({"type": "string"})
    client.register_schema("told-value", text)
    other = json_schema({"type": "integer"})

    assert failure(lambda: client.get_versions("nobody")) == (404, 40401)
    assert failure(lambda: client.lookup_schema("nobody", text)) == (404, 40401)
    assert failure(lambda: client.get_version("told-value", 9)) == (404, 40402)
    assert failure(lambda: client.get_schema(987654)) == (404, 40403)
    assert failure(lambda: client.lookup_schema("told-value", other)) == (404, 40403)
    assert failure(lambda: client.register_schema("told-value", other)) == (409, 40901)
    for invalid in (
        json_schema({"type": "strng"}),
        json_schema({"$schema": "http://json-schema.org/draft-03/schema#"}),
        Schema("message {", "PROTOBUF"),
        Schema('"string"', "AVRO"),
        Schema("{}", "JSON", [SchemaReference("a", "nobody", 1)]),
    ):
        assert failure(lambda schema=invalid: client.register_schema("told-value", schema)) == (  # type: ignore[misc]
            422,
            42201,
        )
    assert failure(lambda: client.get_version("told-value", 0)) == (422, 42202)
    assert failure(lambda: client.set_compatibility("told-value", "SIDEWAYS")) == (422, 42203)
    assert client.get_versions("told-value") == [1]


def test_the_client_is_told_that_the_store_is_away() -> None:
    with (
        running_registry(FailingStore(LakeUnavailableError("away"))) as server,
        SchemaRegistryClient({"url": server.url, "max.retries": 0}) as client,
    ):
        assert failure(client.get_subjects) == (503, 50001)


def test_what_the_client_asks_of_the_registry_itself(client: SchemaRegistryClient) -> None:
    assert client.get_schema_types() == ["JSON", "PROTOBUF"]
    assert client.get_global_mode() == "READWRITE"
    assert client.get_mode("item_rated") == "READWRITE"
    assert client.get_contexts() == ["."]


@pytest.mark.parametrize(
    ("credentials", "is_admitted"),
    [
        ({"basic.auth.user.info": "the-key:"}, True),
        ({"basic.auth.user.info": "anybody:the-key"}, True),
        (
            {
                "bearer.auth.credentials.source": "STATIC_TOKEN",
                "bearer.auth.token": "the-key",
                "bearer.auth.logical.cluster": "any",
            },
            True,
        ),
        ({}, False),
        ({"basic.auth.user.info": "anybody:another"}, False),
        ({"basic.auth.user.info": "the-ke:the-keyy"}, False),
    ],
)
def test_whoever_registers_needs_a_key_and_whoever_reads_does_not(
    tmp_path: Path, credentials: dict[str, str], *, is_admitted: bool
) -> None:
    with (
        running_registry(Lake(f"file://{tmp_path}"), {"ops": "the-key"}) as server,
        SchemaRegistryClient({"url": server.url, "max.retries": 0, **credentials}) as client,
    ):
        assert client.get_latest_version("item_rated").version == 1
        if is_admitted:
            assert client.register_schema("cities-value", json_schema(CITY)) > 0
        else:
            with pytest.raises(SchemaRegistryError) as refused:
                client.register_schema("cities-value", json_schema(CITY))
            assert (refused.value.http_status_code, refused.value.error_code) == (401, 40101)
            assert "cities-value" not in client.get_subjects()
