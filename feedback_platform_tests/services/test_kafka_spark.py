"""Structured Streaming from a real broker to the clean layer, killed on the way."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Final

import orjson
import polars as pl
import pytest
from google.protobuf import descriptor_pool, message_factory, struct_pb2, timestamp_pb2

from feedback_platform.events.registry.registry import SchemaRegistry
from feedback_platform.events.schemas.framing import write_frame
from feedback_platform.events.schemas.protobuf.contract import (
    MESSAGE,
    PACKAGE,
    SUBJECT,
    contract_file,
)
from feedback_platform.lake.batches import manifests_after
from feedback_platform.lake.raw import list_raw_objects
from feedback_platform.lake.store import Lake
from feedback_platform_tests.installation import Installation
from feedback_platform_tests.services.kafka_broker import PASSWORD, USER, KafkaBroker
from feedback_platform_tests.services.kafka_consumer import read_to_end, send, stored_lines
from feedback_platform_tests.services.local_spark import SHORT_LIVED, local_spark
from feedback_platform_tests.services.maven import fetched_jars
from feedback_platform_tests.services.same_rows import assert_as_polars_would, counted_rows
from feedback_platform_tests.services.spark_job import SparkJob, killed_at_last

POM: Final = Path(__file__).parent / "spark_kafka" / "pom.xml"
EVENTS: Final = 30_000
PARTITIONS: Final = 3
FIRST_SECOND: Final = 1_772_000_000
POISON: Final[list[bytes | None]] = [
    b"\xff\xfe no text",
    b'{"n": ',
    b"[1, 2]",
    b"\0\0\0\x0f\xff{}",
    None,
    b'{"event_id": "no type"}',
]


@pytest.fixture(scope="module")
def spark(service_dir: Path) -> dict[str, str]:
    jars = ",".join(str(jar) for jar in sorted(fetched_jars(POM).glob("*.jar")))
    settings = {
        "spark__driver__memory": "1g",
        "spark__jars": jars,
        "spark__driver__extraJavaOptions": SHORT_LIVED,
    }
    return local_spark(service_dir / "streaming", **settings)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def lake(data_dir: Path) -> Lake:
    return Lake((data_dir / "lake").as_uri())


def fields(number: int) -> dict[str, Any]:
    return {
        "event_id": f"e{number:06d}",
        "event_type": "item_clicked",
        "user_id": f"u{number % 997}",
        "item_id": f"i{number % 101}",
        "position": number % 10 + 1,
    }


def as_json(first: int, last: int) -> list[bytes | None]:
    return [orjson.dumps(fields(number)) for number in range(first, last)]


def as_protobuf(first: int, last: int, lake: Lake) -> list[bytes | None]:
    schema_id = SchemaRegistry(lake).version(SUBJECT, 1).schema_id
    pool = descriptor_pool.DescriptorPool()
    for imported in (struct_pb2.DESCRIPTOR, timestamp_pb2.DESCRIPTOR):
        pool.AddSerializedFile(imported.serialized_pb)
    pool.Add(contract_file())
    made = message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{MESSAGE}"))
    return [
        write_frame(schema_id, made(**fields(number)).SerializeToString(), (0,))
        for number in range(first, last)
    ]


def test_a_job_that_is_killed_cleans_every_event_once(
    kafka: KafkaBroker, lake: Lake, data_dir: Path, spark: dict[str, str], tmp_path: Path
) -> None:
    topic = kafka.new_topic("spark", partitions=PARTITIONS)
    third = EVENTS // 3

    def job(*options: str) -> SparkJob:
        log = tmp_path / "job.log"
        return SparkJob(kafka, data_dir, topic, *options, log=log, environment=spark)

    send(kafka, topic, [*as_json(0, third), *POISON])
    with killed_at_last(job()) as first:
        first.await_that(lambda: bool(lake.list_keys("raw/claims")), "it stores something")
        first.kill()
    send(kafka, topic, as_protobuf(third, 2 * third, lake))
    with killed_at_last(job()) as second:
        second.await_that(lambda: bool(manifests_after(lake, 0)), "it cleaned something")
        send(kafka, topic, as_json(2 * third, EVENTS))
        known = len(lake.list_keys("raw/claims"))
        second.await_that(lambda: len(lake.list_keys("raw/claims")) > known, "it stores more")
        second.kill()
    with killed_at_last(job("--until-end")) as last:
        assert last.end() == 0, last.log

    offsets = Counter(line["fallback_id"] for line in stored_lines(lake))
    assert set(offsets.values()) == {1}
    assert len(offsets) == EVENTS + len(POISON)
    cleaned = Counter(key for m in manifests_after(lake, 0) for key in m.raw_objects)
    assert cleaned == Counter(list_raw_objects(lake))
    clean = counted_rows(lake, "clean_objects")
    assert sorted(clean["event_id"]) == [fields(number)["event_id"] for number in range(EVENTS)]
    assert clean.filter(pl.col("event_id") == "e012345").select(fields(0).keys()).row(
        0, named=True
    ) == fields(12345)
    quarantined = counted_rows(lake, "quarantine_objects")
    assert Counter(quarantined["reason"]) == {"undecodable_message": 5, "missing_field": 1}
    assert {raw for raw in quarantined["raw"] if raw in POISON} == set(POISON[:4])
    assert_as_polars_would(lake, tmp_path / "elsewhere")
    # The warehouse takes each in once, with nothing left to clean.
    taken = Installation(data_dir).process()
    assert taken["clean/events"]["raw objects"].value == 0
    assert taken["interaction/interactions"]["dagster/row_count"].value == EVENTS


def test_the_plain_consumer_reads_on_where_the_job_was_and_the_other_way_round(
    kafka: KafkaBroker, lake: Lake, data_dir: Path, spark: dict[str, str], tmp_path: Path
) -> None:
    topic = kafka.new_topic("turns")
    log = tmp_path / "job.log"
    for turn in range(2):
        send(kafka, topic, as_json(turn * 200, turn * 200 + 100))
        read_to_end(kafka, data_dir, topic, log=tmp_path / "consumer.log")
        send(kafka, topic, as_json(turn * 200 + 100, turn * 200 + 200))
        with killed_at_last(
            SparkJob(kafka, data_dir, topic, "--until-end", log=log, environment=spark)
        ) as job:
            assert job.end() == 0, job.log

    assert sorted(line["message"]["event_id"] for line in stored_lines(lake)) == [
        fields(number)["event_id"] for number in range(400)
    ]
    assert len(list_raw_objects(lake)) == 4
    # Whoever stored them, the job cleaned them.
    assert counted_rows(lake, "clean_objects").height == 400


def test_a_job_that_is_told_to_stop_ends_between_two_batches(
    kafka: KafkaBroker, lake: Lake, data_dir: Path, spark: dict[str, str], tmp_path: Path
) -> None:
    topic = kafka.new_topic("stopping")
    send(kafka, topic, as_json(0, 1000))
    log = tmp_path / "job.log"
    login = {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "PLAIN",
        "sasl.username": USER,
        "sasl.password": PASSWORD,
    }
    options = [text for name, value in login.items() for text in ("-X", f"{name}={value}")]
    protected = KafkaBroker(kafka.sasl_servers, kafka.sasl_servers)
    with killed_at_last(
        SparkJob(protected, data_dir, topic, *options, log=log, environment=spark)
    ) as job:
        job.await_that(lambda: bool(lake.list_keys("raw/claims")), "it stores something")
        assert job.stop() == 0, job.log

    assert counted_rows(lake, "clean_objects").height == 1000
    assert PASSWORD not in log.read_text()


def test_without_the_connector_the_error_says_how_to_start(
    kafka: KafkaBroker, data_dir: Path, service_dir: Path, tmp_path: Path
) -> None:
    topic = kafka.new_topic("unconnected")
    bare = local_spark(service_dir / "unconnected")
    log = tmp_path / "job.log"
    with killed_at_last(SparkJob(kafka, data_dir, topic, log=log, environment=bare)) as job:
        assert job.end() == 1

    (error,) = [line for line in job.log.splitlines() if line.startswith("Error: ")]
    assert "--packages org.apache.spark:spark-sql-kafka-0-10_2.13:" in error


def test_without_java_the_error_says_what_to_install(
    data_dir: Path, spark: dict[str, str], tmp_path: Path
) -> None:
    nowhere = spark | {"JAVA_HOME": str(tmp_path)}
    broker = KafkaBroker("127.0.0.1:1", "127.0.0.1:1")
    log = tmp_path / "job.log"
    with killed_at_last(SparkJob(broker, data_dir, "any", log=log, environment=nowhere)) as job:
        assert job.end() == 1

    (error,) = [line for line in job.log.splitlines() if line.startswith("Error: ")]
    assert "It needs Java 17 or newer" in error
