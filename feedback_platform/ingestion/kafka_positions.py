"""The partitions of Kafka, and how far a consumer group has committed them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from confluent_kafka import Consumer, KafkaException, TopicPartition

from feedback_platform.ingestion.kafka_client import KafkaSource, translated
from feedback_platform.ingestion.streams.partition import StreamPartition, slug

_REQUEST_SECONDS: Final = 10.0
_OFFSET_DIGITS: Final = 20


def kafka_partition(topic: str, number: int, incarnation: str) -> StreamPartition:
    """Return a partition of a topic, whoever reads it."""
    return StreamPartition(
        source=f"kafka-{slug(topic)}-{number}",
        stream=topic,
        number=str(number),
        incarnation=incarnation,
        digits=_OFFSET_DIGITS,
    )


class KafkaPositions:
    """Reads and commits a group's offsets, each time by a request that is answered.

    The brokers refuse a commit by a member that is no longer one: what it stored is then claimed
    and complete, and whoever has the partition now finds it and commits.
    """

    def __init__(self, consumer: Consumer, source: KafkaSource) -> None:
        self._consumer = consumer
        self._source = source

    def stored(self, partitions: Collection[StreamPartition]) -> dict[StreamPartition, int]:
        """Return the committed offset of each partition that has one.

        Raises:
            KafkaUnavailableError: the brokers do not answer.
            KafkaRefusedError: they will not tell.
        """
        wanted = {_key(partition): partition for partition in partitions}
        try:
            committed = self._consumer.committed(
                [TopicPartition(topic, number) for topic, number in wanted],
                timeout=_REQUEST_SECONDS,
            )
        except KafkaException as error:
            raise translated(error, self._source) from error
        self._check(committed)
        return {
            wanted[found.topic, found.partition]: found.offset
            for found in committed
            if found.offset >= 0
        }

    def store(self, positions: Mapping[StreamPartition, int]) -> None:
        """Commit offsets.

        Raises:
            KafkaUnavailableError: they were not committed.
            KafkaRefusedError: they will not be.
        """
        offsets = [TopicPartition(*_key(partition), at) for partition, at in positions.items()]
        try:
            committed = self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            raise translated(error, self._source) from error
        self._check(committed or [])

    def rewind(self, partition: StreamPartition, position: int) -> None:
        """Deliver a partition's messages from an offset on, if it is still ours.

        Raises:
            KafkaUnavailableError: it is, but Kafka did not go there.
        """
        wanted = TopicPartition(*_key(partition), position)
        try:
            self._consumer.seek(wanted)
        except KafkaException as error:
            # A partition that is no longer ours cannot be sought in, and needs not be.
            if wanted in self._consumer.assignment():
                raise translated(error, self._source) from error

    def _check(self, partitions: Collection[TopicPartition]) -> None:
        for partition in partitions:
            if partition.error is not None:
                raise translated(KafkaException(partition.error), self._source)


def _key(partition: StreamPartition) -> tuple[str, int]:
    return partition.stream, int(partition.number)
