"""`feedback-platform ingest kafka` as a process of its own, and what it left in the lake."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Final

import orjson
from confluent_kafka import Producer

from feedback_platform.lake.raw import list_raw_objects, read_raw_object
from feedback_platform.lake.store import Lake
from feedback_platform_tests.services.kafka_broker import KafkaBroker

COMMAND: Final = (sys.executable, "-c", "from feedback_platform.cli import main; main()")
# A member that was killed gives way within a second.
SHORT_SESSION: Final = ("-X", "session.timeout.ms=1000", "-X", "heartbeat.interval.ms=300")
PATIENCE_SECONDS: Final = 60.0


class KafkaConsumer:
    """One process; what it writes to stderr is kept in a file."""

    started: ClassVar[list[KafkaConsumer]] = []

    def __init__(
        self, data_dir: Path, *options: str, log: Path, environment: dict[str, str] | None = None
    ) -> None:
        self._log = log
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [*COMMAND, "ingest", "kafka", *options, "--data-dir", str(data_dir)],
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, **(environment or {})},
            )
        self.started.append(self)

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        self._process.kill()
        self._process.communicate()

    def freeze(self) -> None:
        """Halt it where it stands, as a machine does that swaps or moves."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> int:
        """Ask it to end; return its exit code."""
        self._process.send_signal(signal.SIGTERM)
        self._process.communicate(timeout=PATIENCE_SECONDS)
        return self._process.returncode

    def end(self) -> tuple[int, str]:
        """Wait until it ends by itself; return its exit code and what it printed."""
        printed, _ = self._process.communicate(timeout=PATIENCE_SECONDS)
        return self._process.returncode, printed.decode()


@contextmanager
def no_consumer_left() -> Iterator[None]:
    """End the consumers that a failed test left behind."""
    try:
        yield
    finally:
        for consumer in KafkaConsumer.started:
            if not consumer.has_ended:
                consumer.kill()


def read_to_end(
    broker: KafkaBroker, data_dir: Path, topic: str, *options: str, log: Path
) -> dict[str, Any]:
    """Consume a topic as far as it goes; return the summary that was printed."""
    consumer = KafkaConsumer(
        data_dir,
        *("--topic", topic, "--bootstrap-servers", broker.servers, "--until-end", "--json"),
        *SHORT_SESSION,
        *options,
        log=log,
    )
    code, printed = consumer.end()
    assert code == 0, consumer.log
    summary: dict[str, Any] = json.loads(printed)
    return summary


def send(broker: KafkaBroker, topic: str, values: Iterable[bytes | None]) -> None:
    """Produce values with the client as it is; each goes to the partition that its turn says."""
    producer = Producer(
        {
            "bootstrap.servers": broker.servers,
            "linger.ms": 20,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    for number, value in enumerate(values):
        producer.produce(topic, value, key=str(number))
        if number % 1000 == 0:
            producer.poll(0)
    assert producer.flush(PATIENCE_SECONDS) == 0


def stored_lines(lake: Lake) -> list[dict[str, Any]]:
    return [
        orjson.loads(line)
        for key in list_raw_objects(lake)
        for line in read_raw_object(lake, key).splitlines()
    ]


def await_that(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"waited in vain for: {what}"
        time.sleep(0.02)
