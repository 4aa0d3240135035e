"""What Spark's Python workers do with a micro-batch of Kafka: store it as raw objects.

The objects are those that `ingest kafka` makes: boundaries are claimed in the lake before anything
is written. So a batch that comes again after a crash, or a task that Spark runs twice, writes the
same objects again, and the first to do it counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from feedback_platform.errors import FeedbackPlatformError, PermanentError, TransientError
from feedback_platform.ingestion.decoding import MessageDecoder
from feedback_platform.ingestion.kafka_positions import kafka_partition
from feedback_platform.ingestion.schemas import schema_source
from feedback_platform.ingestion.streams.landing import Landed
from feedback_platform.ingestion.streams.partition import Message
from feedback_platform.ingestion.streams.partition_writer import PartitionWriter
from feedback_platform.lake.store import Lake
from feedback_platform.settings import Settings

LANDED_COLUMNS: Final = (
    "topic string, number bigint, position bigint, messages bigint, undecodable bigint, "
    "objects bigint, bytes bigint, failure string, is_transient boolean"
)
_LANDED: Final = pa.schema(
    [
        ("topic", pa.string()),
        ("number", pa.int64()),
        ("position", pa.int64()),
        ("messages", pa.int64()),
        ("undecodable", pa.int64()),
        ("objects", pa.int64()),
        ("bytes", pa.int64()),
        ("failure", pa.string()),
        ("is_transient", pa.bool_()),
    ]
)


class HeldUpError(PermanentError):
    """Another consumer claimed more messages than the micro-batch has, and did not store them."""


@dataclass(frozen=True)
class KafkaLanding:
    """Stores the messages of a Spark partition, and tells how far.

    Attributes:
        lake_url: where to.
        schema_registry_url: an external schema registry, or None for the embedded one.
        incarnations: of each topic.
        stored: the offset behind the last message that was stored, by topic and partition.
    """

    lake_url: str
    schema_registry_url: str | None
    incarnations: Mapping[str, str]
    stored: Mapping[tuple[str, int], int]

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Return a row of `LANDED_COLUMNS` for each Kafka partition; its failure is one, too."""
        partitions: dict[tuple[str, int], _Landing] = {}
        for batch in batches:
            for row in batch.to_pylist():
                key = (row["topic"], row["partition"])
                if row["offset"] < self.stored.get(key, 0):
                    continue
                if key not in partitions:
                    partitions[key] = self._begun(*key)
                message = Message(row["offset"], row["timestamp"] or 0, row["value"])
                partitions[key].add(message)
        rows = [landing.finished() for landing in partitions.values()]
        yield pa.RecordBatch.from_pylist(rows, _LANDED)

    def _begun(self, topic: str, number: int) -> _Landing:
        partition = kafka_partition(topic, number, self.incarnations[topic])
        lake = Lake(self.lake_url)
        decode = _decoder(self.lake_url, self.schema_registry_url)
        writer = PartitionWriter(lake, partition, decode, clock=lambda: datetime.now(UTC))
        return _Landing(writer, topic, number)


class _Landing:
    """The messages of one Kafka partition on their way into raw objects."""

    def __init__(self, writer: PartitionWriter, topic: str, number: int) -> None:
        self._writer = writer
        self._row: dict[str, Any] = {"topic": topic, "number": number, "position": 0}
        self._landed = Landed()

    def add(self, message: Message) -> None:
        """Take the next message; store what fills an object."""
        if self._row.get("failure") is None:
            self._writer.add(message)
            self._attempt(is_last=False)

    def finished(self) -> dict[str, Any]:
        """Store the rest; return what came of it."""
        if self._row.get("failure") is None:
            self._attempt(is_last=True)
        return self._row | vars(self._landed)

    def _attempt(self, *, is_last: bool) -> None:
        try:
            while self._writer.is_full or (is_last and self._writer.buffered):
                self._land_object()
        except FeedbackPlatformError as error:
            # Raised here, it would reach the driver as the text of a traceback.
            self._row["failure"] = str(error)
            self._row["is_transient"] = isinstance(error, TransientError)

    def _land_object(self) -> None:
        claim = self._writer.claim()
        if claim is None:
            raise HeldUpError(
                f"Another consumer began to store messages of {self._writer.partition.label} and "
                "did not finish. Let `feedback-platform ingest kafka --until-end` do it, with the "
                "same --group, and start this job again."
            )
        self._landed.add(self._writer.write(claim))
        self._writer.settle(claim)
        self._row["position"] = claim.last + 1


@lru_cache(maxsize=4)
def _decoder(lake_url: str, schema_registry_url: str | None) -> MessageDecoder:
    """Return what decodes values; a worker lives longer than a batch, and keeps the schemas."""
    settings = Settings(Path(), lake_url, schema_registry_url=schema_registry_url)
    return MessageDecoder(schema_source(settings, Lake(lake_url)))
