"""The Kafka consumer as a process, against a real broker."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from feedback_platform.lake.raw import list_raw_objects
from feedback_platform.lake.store import Lake
from feedback_platform_tests.services.kafka_broker import PASSWORD, USER, KafkaBroker
from feedback_platform_tests.services.kafka_consumer import (
    SHORT_SESSION,
    KafkaConsumer,
    await_that,
    read_to_end,
    send,
    stored_lines,
)
from feedback_platform_tests.services.processes import free_port


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def lake(data_dir: Path) -> Lake:
    return Lake((data_dir / "lake").as_uri())


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "consumer.log"


def events(first: int, last: int) -> list[bytes]:
    return [json.dumps({"n": number}).encode() for number in range(first, last + 1)]


def numbers(lake: Lake) -> list[int]:
    return sorted(line["message"]["n"] for line in stored_lines(lake))


def committed(kafka: KafkaBroker, topic: str, partitions: int) -> list[int]:
    reader = Consumer({"bootstrap.servers": kafka.servers, "group.id": "feedback-platform"})
    found = reader.committed([TopicPartition(topic, n) for n in range(partitions)], timeout=30)
    reader.close()
    return [partition.offset for partition in found]


def test_objects_are_named_by_topic_partition_and_offsets(
    kafka: KafkaBroker, lake: Lake, data_dir: Path, log: Path
) -> None:
    topic = kafka.new_topic("User.Events")
    send(kafka, topic, events(0, 499))

    summary = read_to_end(kafka, data_dir, topic, log=log)

    (key,) = list_raw_objects(lake)
    name = key.rpartition("/")[2]
    assert name.startswith("kafka-user-events-")
    assert name.endswith(f"{0:020d}{499:020d}.ndjson.zst")
    assert numbers(lake) == list(range(500))
    (first, *_) = stored_lines(lake)
    assert (first["format"], first["source"]) == ("event", topic)
    assert first["fallback_id"].startswith(f"{topic}-0-0-")
    assert (summary["messages"], summary["undecodable"], summary["objects"]) == (500, 0, 1)
    assert summary["lag"] == {f"{topic}-0": 0}
    assert committed(kafka, topic, 1) == [500]


def test_a_second_run_stores_only_what_came_since(
    kafka: KafkaBroker, lake: Lake, data_dir: Path, log: Path
) -> None:
    topic = kafka.new_topic("again", partitions=3)
    send(kafka, topic, events(0, 99))
    read_to_end(kafka, data_dir, topic, log=log)
    send(kafka, topic, events(100, 149))

    summary = read_to_end(kafka, data_dir, topic, log=log)

    assert summary["messages"] == 50
    assert numbers(lake) == list(range(150))


def test_poison_is_put_aside_with_its_bytes_and_its_neighbours_are_stored(
    kafka: KafkaBroker, lake: Lake, data_dir: Path, log: Path
) -> None:
    topic = kafka.new_topic("poison")
    poison: dict[bytes | None, str] = {
        b"\xff\xfe no text": "not JSON",
        b'{"n": NaN}': "not JSON",
        b'{"n": ': "not JSON",
        b'"\\ud800"': "not JSON",
        b"[" * 100_000: "not JSON",
        b"": "not JSON",
        b"[1, 2]": "not a JSON object",
        b"\0\0\0\x0f\xff{}": "schema 4095 is not registered",
        b"\0\0": "not JSON",
        None: "no value",
    }
    send(kafka, topic, [each for bad in poison for each in (bad, *events(1, 1))])

    summary = read_to_end(kafka, data_dir, topic, log=log)

    lines = stored_lines(lake)
    assert [line["message"] for line in lines[1::2]] == [{"n": 1}] * len(poison)
    for line, (value, problem) in zip(lines[::2], poison.items(), strict=True):
        assert line["format"] == "opaque"
        assert line["refusal"] == {"reason": "undecodable_message", "field": problem}
        assert base64.b64decode(line["bytes"]) == (value or b"")
    assert (summary["messages"], summary["undecodable"]) == (20, 10)
    assert committed(kafka, topic, 1) == [20]


def test_partitions_move_between_consumers_that_come_and_go(
    kafka: KafkaBroker, lake: Lake, data_dir: Path, tmp_path: Path
) -> None:
    topic = kafka.new_topic("moving", partitions=4)
    total = 0

    def member(name: str) -> KafkaConsumer:
        options = ("--topic", topic, "--bootstrap-servers", kafka.servers, "--linger", "0.1")
        return KafkaConsumer(data_dir, *options, *SHORT_SESSION, log=tmp_path / f"{name}.log")

    def more() -> None:
        nonlocal total
        send(kafka, topic, events(total, total + 4999))
        total += 5000

    more()
    first = member("first")
    await_that(lambda: "Reading" in first.log, "the first has the partitions")
    second = member("second")
    more()
    await_that(lambda: "Reading" in second.log, "the second has some of them")
    assert "Handed over" in first.log
    more()
    assert first.stop() == 0
    third = member("third")
    more()
    await_that(lambda: "Reading" in third.log, "the third has some of them")
    second.kill()
    more()
    await_that(lambda: len(stored_lines(lake)) >= total, "everything is stored")
    assert third.stop() == 0

    assert numbers(lake) == list(range(total))
    assert sum(committed(kafka, topic, 4)) == total


def test_a_consumer_that_was_believed_dead_stores_nothing_twice(
    kafka: KafkaBroker, lake: Lake, data_dir: Path, tmp_path: Path
) -> None:
    topic = kafka.new_topic("frozen", partitions=2)
    options = ("--topic", topic, "--bootstrap-servers", kafka.servers, *SHORT_SESSION)
    frozen = KafkaConsumer(data_dir, *options, "--linger", "2", log=tmp_path / "frozen.log")
    await_that(lambda: "Reading" in frozen.log, "it has the partitions")
    send(kafka, topic, events(0, 999))
    # Long enough to have read the messages, and not to have stored them.
    time.sleep(0.7)
    frozen.freeze()
    heir = KafkaConsumer(data_dir, *options, "--linger", "0.1", log=tmp_path / "heir.log")
    await_that(lambda: len(stored_lines(lake)) == 1000, "the heir stored them")
    frozen.thaw()
    send(kafka, topic, events(1000, 1999))

    await_that(lambda: len(stored_lines(lake)) >= 2000, "everything is stored")
    assert "Lost" in frozen.log
    assert frozen.stop() == 0
    assert heir.stop() == 0
    assert numbers(lake) == list(range(2000))


def test_a_lake_that_fails_holds_the_consumer_up_and_loses_nothing(
    kafka: KafkaBroker, lake: Lake, data_dir: Path, log: Path
) -> None:
    topic = kafka.new_topic("outage")
    send(kafka, topic, events(0, 99))
    raw = data_dir / "lake" / "raw"
    raw.mkdir(parents=True)
    # A file where a directory is needed: no write succeeds.
    (raw / "events").write_text("in the way")
    options = ("--topic", topic, "--bootstrap-servers", kafka.servers, *SHORT_SESSION)
    consumer = KafkaConsumer(data_dir, *options, log=log)
    await_that(lambda: "Nothing is lost" in consumer.log, "the failure is told")
    send(kafka, topic, events(100, 199))
    assert committed(kafka, topic, 1) == [-1001]

    (raw / "events").unlink()

    await_that(lambda: len(stored_lines(lake)) == 200, "everything is stored")
    await_that(lambda: committed(kafka, topic, 1) == [200], "everything is committed")
    assert consumer.stop() == 0
    assert "Going on after" in consumer.log
    assert numbers(lake) == list(range(200))


def test_a_topic_made_anew_is_another_topic(
    kafka: KafkaBroker, lake: Lake, data_dir: Path, log: Path
) -> None:
    topic = kafka.new_topic("anew")
    send(kafka, topic, events(0, 9))
    read_to_end(kafka, data_dir, topic, log=log)
    kafka.delete_topic(topic)
    await_that(lambda: topic not in kafka.admin.list_topics(timeout=30).topics, "it is gone")
    kafka.create_topic(topic, 1)
    send(kafka, topic, events(100, 109))

    read_to_end(kafka, data_dir, topic, log=log)

    assert numbers(lake) == [*range(10), *range(100, 110)]
    assert len({line["fallback_id"] for line in stored_lines(lake)}) == 20


def test_transactions_that_were_aborted_are_not_stored(
    kafka: KafkaBroker, lake: Lake, data_dir: Path, log: Path
) -> None:
    topic = kafka.new_topic("transactions")
    producer = Producer({"bootstrap.servers": kafka.servers, "transactional.id": topic})
    producer.init_transactions(30)
    for first, is_kept in [(0, True), (10, False), (20, True), (30, False)]:
        producer.begin_transaction()
        for value in events(first, first + 9):
            producer.produce(topic, value)
        if is_kept:
            producer.commit_transaction(30)
        else:
            producer.abort_transaction(30)

    summary = read_to_end(kafka, data_dir, topic, log=log)

    assert numbers(lake) == [*range(10), *range(20, 30)]
    assert summary["lag"] == {f"{topic}-0": 0}


def test_a_topic_that_does_not_exist_is_one_clear_line(
    kafka: KafkaBroker, data_dir: Path, log: Path
) -> None:
    options = ("--topic", "nowhere", "--bootstrap-servers", kafka.servers)
    consumer = KafkaConsumer(data_dir, *options, log=log)

    code, _ = consumer.end()

    assert code == 1
    (line,) = consumer.log.splitlines()
    assert line.startswith(f"Error: Kafka at {kafka.servers} refuses: ")
    assert line.endswith("create the topic, or check --topic.")


@pytest.mark.parametrize(
    ("password", "advice"),
    [("wrong-secret", "check the credentials"), (PASSWORD, "this user needs the right to read")],
)
def test_a_refused_user_is_told_what_to_do(
    kafka: KafkaBroker, data_dir: Path, log: Path, password: str, advice: str
) -> None:
    topic = kafka.new_topic("closed")
    kafka.forbid(topic)
    pairs = {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "PLAIN",
        "sasl.username": USER,
        "sasl.password": password,
    }
    settings = [text for name, value in pairs.items() for text in ("-X", f"{name}={value}")]
    servers = ("--bootstrap-servers", kafka.sasl_servers)
    consumer = KafkaConsumer(data_dir, "--topic", topic, *servers, *settings, log=log)

    code, _ = consumer.end()

    assert code == 1
    (error,) = [line for line in consumer.log.splitlines() if line.startswith("Error: ")]
    assert advice in error
    assert password not in consumer.log


def test_a_broker_that_does_not_answer_is_told_and_waited_for(data_dir: Path, log: Path) -> None:
    options = ("--topic", "events", "--bootstrap-servers", f"127.0.0.1:{free_port()}")
    consumer = KafkaConsumer(data_dir, *options, log=log)

    await_that(lambda: "The client keeps trying" in consumer.log, "the silence is told")

    assert not consumer.has_ended
    assert consumer.stop() == 0
