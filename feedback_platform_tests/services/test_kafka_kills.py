"""A consumer that is killed again and again loses nothing and stores nothing twice."""

from __future__ import annotations

import json
import random
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pool, message_factory, struct_pb2, timestamp_pb2

from feedback_platform.events.schemas.protobuf.contract import MESSAGE, PACKAGE, contract_file
from feedback_platform.lake.raw import list_raw_objects
from feedback_platform.lake.store import Lake
from feedback_platform_tests.installation import Installation
from feedback_platform_tests.services.kafka_broker import KafkaBroker
from feedback_platform_tests.services.kafka_consumer import (
    COMMAND,
    SHORT_SESSION,
    KafkaConsumer,
    await_that,
    read_to_end,
    send,
    stored_lines,
)
from feedback_platform_tests.serving.registry_server import running_registry

EVENTS: Final = 200_000
KILLS: Final = 20
PARTITIONS: Final = 4
FIRST_SECOND: Final = 1_772_000_000


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path / "data")


@pytest.fixture
def registry_url(installation: Installation) -> Iterator[str]:
    """The platform's own registry, served."""
    with running_registry(installation.lake) as server:
        yield server.url


def protobuf_events(registry_url: str, topic: str) -> list[bytes]:
    """What Confluent's serialiser makes of the events."""
    # A pool of its own: a second test of this process may make the same messages.
    pool = descriptor_pool.DescriptorPool()
    for imported in (struct_pb2.DESCRIPTOR, timestamp_pb2.DESCRIPTOR):
        pool.AddSerializedFile(imported.serialized_pb)
    pool.Add(contract_file())
    event = message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{MESSAGE}"))
    context = SerializationContext(topic, MessageField.VALUE)
    with SchemaRegistryClient({"url": registry_url}) as client:
        serializer = ProtobufSerializer(event, client, {"use.deprecated.format": False})
        return [serializer(event(**fields(number)), context) for number in range(EVENTS)]


def fields(number: int) -> dict[str, Any]:
    return {
        "event_id": f"e{number:06d}",
        "event_type": "item_clicked",
        "user_id": f"u{number % 997}",
        "item_id": f"i{number % 101}",
        "session_id": f"s{number // 50}",
        "occurred_at": {"seconds": FIRST_SECOND + number, "nanos": 250_000_000},
        "placement": "home",
        "position": number % 10 + 1,
    }


def test_two_hundred_thousand_events_survive_twenty_kills(
    kafka: KafkaBroker, installation: Installation, registry_url: str, tmp_path: Path
) -> None:
    topic = kafka.new_topic("kills", partitions=PARTITIONS)
    values = protobuf_events(registry_url, topic)
    chance = random.Random(3)
    lake, data_dir = installation.lake, installation.settings.data_dir
    log = tmp_path / "consumer.log"
    share = EVENTS // KILLS
    for life in range(KILLS):
        send(kafka, topic, values[life * share : (life + 1) * share])
        # Half of the time the next life takes the partitions over at once.
        static = ("-X", "group.instance.id=one") if chance.random() < 0.5 else ()
        known = len(claims(lake))
        consumer = KafkaConsumer(
            data_dir,
            *("--topic", topic, "--bootstrap-servers", kafka.servers, "--linger", "0.05"),
            *("-X", "fetch.message.max.bytes=65536", *SHORT_SESSION, *static),
            log=log,
        )
        if chance.random() < 0.8:
            await_that(partial(has_acted, consumer, lake, known), "it stores something")
            time.sleep(chance.uniform(0.0, 0.3))
        else:
            time.sleep(chance.uniform(0.0, 2.0))
        assert not consumer.has_ended, consumer.log
        consumer.kill()
    stored_before_the_last_life = len(stored_lines(lake))
    summary = read_to_end(kafka, data_dir, topic, log=log)

    lines = stored_lines(lake)
    offsets = Counter(line["fallback_id"].rpartition("-")[0] for line in lines)
    assert stored_before_the_last_life > EVENTS / 4
    assert len(lines) == len(offsets) == EVENTS
    assert len({line["message"]["event_id"] for line in lines}) == EVENTS
    assert {line["format"] for line in lines} == {"event"}
    assert set(summary["lag"].values()) == {0}
    sample = next(line["message"] for line in lines if line["message"]["event_id"] == "e000123")
    assert sample == fields(123) | {"occurred_at": "2026-02-25T06:15:23.250Z"}

    processed = process(data_dir)

    assert processed["raw_objects"] == len(list_raw_objects(lake))
    assert (processed["lines"], processed["clean"], processed["quarantined"]) == (EVENTS, EVENTS, 0)
    counted = installation.query(
        "select count(*), count(distinct event_id), count(distinct user_id) "
        "from interaction.interactions"
    )
    assert counted.row(0) == (EVENTS, EVENTS, 997)


def claims(lake: Lake) -> list[str]:
    return lake.list_keys("raw/claims")


def has_acted(consumer: KafkaConsumer, lake: Lake, known: int) -> bool:
    return consumer.has_ended or len(claims(lake)) > known


def process(data_dir: Path) -> dict[str, Any]:
    done = subprocess.run(
        [*COMMAND, "process", "--json", "--data-dir", str(data_dir)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome
