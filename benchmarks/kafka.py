"""How many messages a second one Kafka consumer makes durable, beside reading and dropping them.

    python benchmarks/kafka.py [--messages 200000] [--partitions 4]

The broker is that of the service tests: Java and Maven are needed. The lake is a directory.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import click
import orjson
from confluent_kafka import Consumer
from google.protobuf import descriptor_pool, message_factory, struct_pb2, timestamp_pb2
from machine import say_what_machine

from feedback_platform.events.registry.registry import SchemaRegistry
from feedback_platform.events.schemas.framing import write_frame
from feedback_platform.events.schemas.protobuf.contract import (
    MESSAGE,
    PACKAGE,
    SUBJECT,
    contract_file,
)
from feedback_platform.ingestion.decoding import MessageDecoder
from feedback_platform.ingestion.kafka import KafkaIngestion
from feedback_platform.ingestion.kafka_client import KafkaSource
from feedback_platform.ingestion.schemas import EmbeddedSchemas
from feedback_platform.lake.store import Lake
from feedback_platform_tests.services.kafka_broker import KafkaBroker, kafka_broker
from feedback_platform_tests.services.kafka_consumer import send

# The contract's file imports them: they have to be known.
_IMPORTED = (struct_pb2.DESCRIPTOR, timestamp_pb2.DESCRIPTOR)


def event(number: int) -> dict[str, Any]:
    """Return the fields of an event, without its time."""
    return {
        "event_id": f"e{number}",
        "event_type": "item_clicked",
        "user_id": f"u{number % 997}",
        "item_id": f"i{number % 101}",
        "session_id": f"s{number // 50}",
        "placement": "home",
        "position": number % 10 + 1,
    }


def as_json(messages: int) -> list[bytes]:
    """Return events as plain JSON."""
    at = "2026-02-25T06:15:23.250Z"
    return [orjson.dumps({**event(number), "occurred_at": at}) for number in range(messages)]


def as_protobuf(messages: int, lake: Lake) -> list[bytes]:
    """Return events as Protobuf, framed with the id of the contract's schema."""
    schema_id = SchemaRegistry(lake).version(SUBJECT, 1).schema_id
    pool = descriptor_pool.Default()
    pool.Add(contract_file())
    made = message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{MESSAGE}"))
    at = {"seconds": 1_772_000_123, "nanos": 250_000_000}
    return [
        write_frame(schema_id, made(**event(n), occurred_at=at).SerializeToString(), (0,))
        for n in range(messages)
    ]


def dropped(broker: KafkaBroker, topic: str, messages: int) -> float:
    """Read a topic and drop what is read; return messages a second."""
    consumer = Consumer(
        {
            "bootstrap.servers": broker.servers,
            "group.id": uuid4().hex,
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([topic])
    started = time.perf_counter()
    seen = 0
    while seen < messages:
        message = consumer.poll(1.0)
        if message is not None and message.error() is None:
            message.value()
            seen += 1
    rate = messages / (time.perf_counter() - started)
    consumer.close()
    return rate


def stored(broker: KafkaBroker, topic: str, lake: Lake) -> float:
    """Bring a topic into the lake; return messages a second."""
    source = KafkaSource(broker.servers, (topic,), uuid4().hex)
    decode = MessageDecoder(EmbeddedSchemas(lake))
    summary = KafkaIngestion(lake, source, decode, is_until_end=True).run()
    return summary.landed.messages / summary.seconds


@click.command()
@click.option("--messages", default=200_000, show_default=True)
@click.option("--partitions", default=4, show_default=True)
def main(messages: int, partitions: int) -> None:
    """Print messages a second, joining the group included."""
    say_what_machine()
    with tempfile.TemporaryDirectory() as directory, kafka_broker(Path(directory)) as broker:
        lake = Lake((Path(directory) / "lake").as_uri())
        values = {"JSON": as_json(messages), "Protobuf": as_protobuf(messages, lake)}
        for kind, produced in values.items():
            topic = broker.new_topic(kind.lower(), partitions)
            send(broker, topic, produced)
            # The first group that a broker sees waits for the topic of the offsets.
            dropped(broker, topic, 1)
            bare = dropped(broker, topic, messages)
            durable = stored(broker, topic, lake)
            print(
                f"{kind:<9} dropped {bare:>9,.0f}/s   durable {durable:>9,.0f}/s   "
                f"{durable / bare:.0%}"
            )


if __name__ == "__main__":
    main()
