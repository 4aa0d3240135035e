"""A Kafka consumer whose offsets are committed only after the messages are durable in the lake."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage

from feedback_platform.errors import FeedbackPlatformError, TransientError
from feedback_platform.ingestion.kafka_client import (
    END_OF_PARTITION,
    KafkaSource,
    open_consumer,
    refusal,
    topic_incarnations,
    translated,
)
from feedback_platform.ingestion.kafka_positions import KafkaPositions, kafka_partition
from feedback_platform.ingestion.streams.landing import StreamLanding
from feedback_platform.ingestion.streams.partition import Message, StreamPartition
from feedback_platform.ingestion.streams.partition_writer import PartitionWriter
from feedback_platform.ingestion.streams.patience import persist
from feedback_platform.ingestion.streams.pieces import Decoder
from feedback_platform.ingestion.streams.summary import LagReport, StreamSummary
from feedback_platform.lake.store import Lake

_POLL_SECONDS: Final = 0.1
_BURST_BYTES: Final = 8 << 20
_BURST: Final = 1000
_REQUEST_SECONDS: Final = 10.0
_SILENT_SECONDS: Final = 30.0
_SHOWN: Final = 8

_log = logging.getLogger(__name__)


class KafkaIngestion:
    """Reads topics as a member of a consumer group, and stores what it reads as raw objects.

    Args:
        lake: where to store it.
        source: what to read.
        decode: of a message's value.
        linger: seconds that a message may wait for others of its partition.
        is_until_end: stop once everything that was there has been stored.
        is_stopping: asked several times a second; then it stores, commits and leaves the group.
    """

    def __init__(
        self,
        lake: Lake,
        source: KafkaSource,
        decode: Decoder,
        *,
        linger: float = 1.0,
        is_until_end: bool = False,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._source = source
        self._is_until_end = is_until_end
        self._is_stopping = is_stopping
        self._failure: FeedbackPlatformError | None = None
        self._silent_until = 0.0
        self._read_bytes = 0
        self._incarnations: dict[str, str] = {}
        self._writers: dict[tuple[str, int], PartitionWriter] = {}
        self._ended: set[tuple[str, int]] = set()
        self._paused: set[TopicPartition] = set()
        self._has_joined = False
        self._is_first_assignment = True
        self._consumer = open_consumer(source, self._notice)
        self._positions = KafkaPositions(self._consumer, source)
        self._landing = StreamLanding(lake, self._positions, decode, linger=linger)
        self._report = LagReport(self._landing.landed, "messages", self._lag)

    def run(self) -> StreamSummary:
        """Read until told to stop, or until the end.

        Raises:
            PermanentError: a person has to act; what was not stored is not committed.
            TransientError: told to stop while the lake or the brokers fail; likewise.
        """
        try:
            self._await_topics()
            self._consumer.subscribe(
                list(self._source.topics),
                on_assign=self._on_assign,
                on_revoke=self._on_revoke,
                on_lost=self._on_lost,
            )
            while not self._is_stopping() and not self._is_at_end():
                self._read()
                self._persist(self._landing.land_due)
                self._report.tell_if_due()
            self._persist(self._landing.land_all)
            return self._report.summary()
        finally:
            # What waits still could not be stored: closing shall not try once more.
            for key in list(self._writers):
                self._drop(key)
            self._landing.close()
            self._consumer.close()

    def _await_topics(self) -> None:
        """Learn which topics these are, however long the brokers take to answer."""
        try:
            self._persist(self._find_topics)
        except TransientError:
            # Told to stop before anything was read: there is nothing to save.
            _log.warning("Stopped before Kafka answered.")

    def _find_topics(self) -> None:
        self._poll(0.0)
        self._incarnations |= topic_incarnations(self._source, self._source.topics)

    def _persist(self, step: Callable[[], None]) -> None:
        try:
            persist(step, wait=self._wait, is_stopping=self._is_stopping)
        finally:
            if self._paused:
                still_ours = [part for part in self._consumer.assignment() if part in self._paused]
                self._consumer.resume(still_ours)
                self._paused.clear()

    def _wait(self, seconds: float) -> None:
        """Stay a member of the group, and take no messages meanwhile."""
        deadline = time.monotonic() + seconds
        while not self._is_stopping() and (left := deadline - time.monotonic()) > 0:
            fresh = [part for part in self._consumer.assignment() if part not in self._paused]
            if fresh:
                self._consumer.pause(fresh)
                self._paused.update(fresh)
            self._poll(min(left, _POLL_SECONDS))

    def _read(self) -> None:
        """Take the messages that are there, a burst at most: then memory is looked at."""
        before = self._read_bytes
        writer = self._poll(_POLL_SECONDS)
        for _ in range(_BURST):
            if self._read_bytes - before > _BURST_BYTES or (writer is not None and writer.is_full):
                return
            writer = self._poll(0.0)
            if writer is None:
                return

    def _poll(self, seconds: float) -> PartitionWriter | None:
        """Take one message, or serve one event; return who took the message."""
        try:
            message = self._consumer.poll(seconds)
        except KafkaException as error:
            # Raised for what librdkafka gave up on, such as a group that may not be read.
            self._notice(error.args[0])
            message = None
        if self._failure is not None:
            raise self._failure
        if message is None:
            return None
        key = (str(message.topic()), int(message.partition() or 0))
        writer = self._writers.get(key)
        heard = message.error()
        if heard is not None:
            self._hear(heard, key, message)
            return None
        if writer is None:
            return None
        position = int(message.offset() or 0)
        value = message.value()
        self._read_bytes += len(value or b"")
        writer.add(Message(position, message.timestamp()[1], value))
        return writer

    def _hear(self, error: KafkaError, key: tuple[str, int], message: KafkaMessage) -> None:
        if error.code() != END_OF_PARTITION:
            self._notice(error)
        elif key in self._writers:
            self._writers[key].reach(int(message.offset() or 0) - 1)
            self._ended.add(key)

    def _notice(self, error: KafkaError) -> None:
        """Keep a refusal for the loop to raise; tell of anything else once in a while."""
        self._failure = self._failure or refusal(error, self._source)
        if self._failure is None and time.monotonic() >= self._silent_until:
            self._silent_until = time.monotonic() + _SILENT_SECONDS
            failed = translated(KafkaException(error), self._source)
            _log.warning("%s The client keeps trying.", failed)

    def _is_at_end(self) -> bool:
        return self._is_until_end and self._has_joined and self._ended >= self._writers.keys()

    def _on_assign(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._has_joined = True
        self._refresh({partition.topic for partition in partitions})
        for part in partitions:
            key = (part.topic, part.partition)
            self._drop(key)
            self._writers[key] = self._landing.open(self._partition(*key))
        if partitions:
            _log.info("Reading %s.", _listed(partitions))

    def _on_revoke(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Store what was read of them, so that their next reader begins behind it."""
        ours = [p for p in partitions if (p.topic, p.partition) in self._writers]
        if not ours:
            return
        try:
            self._landing.land_all(
                [self._writers[part.topic, part.partition].partition for part in ours]
            )
        except FeedbackPlatformError as error:
            _log.warning("%s Whoever gets %s reads it again.", error, _listed(ours))
        _log.info("Handed over %s.", _listed(ours))
        for part in ours:
            self._drop((part.topic, part.partition))

    def _on_lost(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Others have them already, and read again what was not committed."""
        _log.warning("Lost %s to other members of the group.", _listed(partitions))
        for part in partitions:
            self._drop((part.topic, part.partition))

    def _refresh(self, topics: set[str]) -> None:
        """Ask anew which topics these are: one may have been deleted and made again."""
        if self._is_first_assignment:
            self._is_first_assignment = False
            return
        try:
            self._incarnations |= topic_incarnations(self._source, topics)
        except FeedbackPlatformError as error:
            _log.warning("%s Going on with the topics as they were.", error)

    def _drop(self, key: tuple[str, int]) -> None:
        writer = self._writers.pop(key, None)
        if writer is not None:
            self._landing.drop(writer.partition)
        self._ended.discard(key)

    def _partition(self, topic: str, number: int) -> StreamPartition:
        return kafka_partition(topic, number, self._incarnations[topic])

    def _lag(self) -> Mapping[str, int]:
        """Return how many messages of each partition wait to be committed, as far as is known."""
        partitions = [writer.partition for writer in self._writers.values()]
        if not partitions:
            return {}
        try:
            stored = self._positions.stored(partitions)
            return {
                writer.partition.label: self._behind(key, stored.get(writer.partition))
                for key, writer in self._writers.items()
            }
        except (FeedbackPlatformError, KafkaException) as error:
            _log.warning("The lag is not known: %s", error)
            return {}

    def _behind(self, key: tuple[str, int], stored: int | None) -> int:
        partition = TopicPartition(*key)
        # What the last answer said: a question of its own would wait until that connection is free,
        # half a second for each partition.
        low, high = self._consumer.get_watermark_offsets(partition, cached=True)
        if high < 0:
            low, high = self._consumer.get_watermark_offsets(partition, timeout=_REQUEST_SECONDS)
        # Aborted messages and the marks of transactions take offsets that nobody commits.
        position = max(int(low), stored or 0, self._writers[key].settled_position)
        return max(0, int(high) - position)


def _listed(partitions: Iterable[TopicPartition]) -> str:
    names = [f"{part.topic}-{part.partition}" for part in partitions]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
