"""Kafka through Spark Structured Streaming: each micro-batch is stored, committed and then cleaned.

Spark's checkpoint says which offsets a micro-batch has, and gives a batch that did not end again.
Every step may be repeated: raw objects by their claims, offsets by their number, cleaning by its
ledger. So a job that is killed anywhere goes on where it was, and nothing counts twice.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from feedback_platform.errors import FeedbackPlatformError, PermanentError, TransientError
from feedback_platform.ingestion.kafka_client import (
    KafkaSource,
    open_consumer,
    topic_incarnations,
    translated,
)
from feedback_platform.ingestion.kafka_java_settings import java_settings
from feedback_platform.ingestion.kafka_positions import KafkaPositions, kafka_partition
from feedback_platform.ingestion.kafka_spark_landing import LANDED_COLUMNS, KafkaLanding
from feedback_platform.ingestion.streams.landing import Landed
from feedback_platform.ingestion.streams.partition import StreamPartition, short_digest, slug
from feedback_platform.ingestion.streams.patience import persist
from feedback_platform.ingestion.streams.summary import LagReport, StreamSummary
from feedback_platform.settings import Settings
from feedback_platform.spark_session import spark_session

# Messages of a micro-batch at most: what has gathered while nobody read comes in portions.
_MESSAGES_AT_A_TIME: Final = 200_000
_LOOK_SECONDS: Final = 0.5
_REQUEST_SECONDS: Final = 10.0
_EARLIEST: Final = -2
_MESSAGES: Final = ("topic", "partition", "offset", "unix_millis(timestamp) as timestamp", "value")

_log = logging.getLogger(__name__)


class LandingFailedError(TransientError):
    """A worker could not store a micro-batch, for a reason that may pass."""


class LandingRefusedError(PermanentError):
    """A worker could not store a micro-batch, and a person has to act."""


class SparkJobError(PermanentError):
    """Spark gave up; its own words are in the text."""


class KafkaSparkJob:
    """Reads topics with Spark, stores what it reads as raw objects, and has them cleaned.

    Args:
        settings: where the lake is, and the schema registry.
        source: what to read; offsets are committed for its group, too, so that it can be read on by
            another consumer.
        clean: cleans what has landed; it may be called again after a TransientError.
        checkpoint: where Spark keeps its progress: a directory, or a URL that Hadoop knows; in the
            data directory when left out.
        linger: seconds from one micro-batch to the next.
        is_until_end: stop once everything that was there has been cleaned.
        is_stopping: asked several times a second; then it ends after the micro-batch.
    """

    def __init__(
        self,
        settings: Settings,
        source: KafkaSource,
        clean: Callable[[], None],
        *,
        checkpoint: str | None = None,
        linger: float = 1.0,
        is_until_end: bool = False,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._settings = settings
        self._source = source
        self._clean = clean
        self._checkpoint = checkpoint or str(_default_checkpoint(settings, source))
        self._linger = linger
        self._is_until_end = is_until_end
        self._is_stopping = is_stopping
        self._java_settings = java_settings(source.settings)
        self._consumer = open_consumer(source, _unheard)
        self._positions = KafkaPositions(self._consumer, source)
        self._partitions: dict[tuple[str, int], StreamPartition] = {}
        self._incarnations: dict[str, str] = {}
        self._failure: FeedbackPlatformError | None = None
        # Held while a micro-batch is on its way, and for good once the job ends.
        self._turn = threading.Lock()
        self._landed = Landed()
        self._report = LagReport(self._landed, "messages", self._lag)

    def run(self) -> StreamSummary:
        """Read until told to stop, or until the end.

        Raises:
            SparkUnavailableError: Spark cannot be started here.
            PermanentError: a person has to act; what was not stored is not committed.
            TransientError: told to stop while the lake or the brokers fail; likewise.
        """
        try:
            spark = spark_session()
            self._persist(self._find_topics)
            query = self._started(spark)
            self._follow(query)
            return self._report.summary()
        finally:
            self._consumer.close()

    def _started(self, spark: Any) -> Any:
        from pyspark.errors import AnalysisException  # noqa: PLC0415

        options = {
            "subscribe": ",".join(self._source.topics),
            "startingOffsets": self._starting_offsets(),
            "maxOffsetsPerTrigger": str(_MESSAGES_AT_A_TIME),
            "kafka.bootstrap.servers": self._source.bootstrap_servers,
            # Aborted transactions never happened.
            "kafka.isolation.level": "read_committed",
            **{f"kafka.{name}": value for name, value in self._java_settings.items()},
        }
        trigger: dict[str, Any] = (
            {"availableNow": True}
            if self._is_until_end
            else {"processingTime": f"{self._linger} seconds"}
        )
        try:
            messages = spark.readStream.format("kafka").options(**options).load()
        except AnalysisException as error:
            raise SparkJobError(
                "Spark has no connector to Kafka: start with --packages "
                f"org.apache.spark:spark-sql-kafka-0-10_2.13:4.2.0 (this is Spark {spark.version})."
            ) from error
        return (
            messages.selectExpr(*_MESSAGES)
            .writeStream.foreachBatch(self._take)
            .option("checkpointLocation", self._checkpoint)
            .trigger(**trigger)
            .start()
        )

    def _follow(self, query: Any) -> None:
        """Wait until the job ends or is to end, and end it between two micro-batches."""
        from pyspark.errors import StreamingQueryException  # noqa: PLC0415

        try:
            while not query.awaitTermination(_LOOK_SECONDS) and not self._is_stopping():
                self._report.tell_if_due()
        except StreamingQueryException as error:
            if self._failure is not None:
                raise self._failure from None
            raise SparkJobError(f"Spark gave up: {_first_line(error)}") from error
        with self._turn:
            query.stop()

    def _take(self, messages: Any, _number: int) -> None:
        """Bring in one micro-batch; Spark gives it again unless this returns."""
        if not self._turn.acquire(blocking=False):
            raise SparkJobError("The job ends; this micro-batch comes again.")
        try:
            self._persist(lambda: self._bring_in(messages))
        except FeedbackPlatformError as error:
            self._failure = error
            raise
        finally:
            self._turn.release()

    def _bring_in(self, messages: Any) -> None:
        self._refresh_partitions()
        landing = KafkaLanding(
            self._settings.lake_url,
            self._settings.schema_registry_url,
            self._incarnations,
            self._stored(),
        )
        rows = messages.mapInArrow(landing, LANDED_COLUMNS).toArrow().to_pylist()
        _check([row for row in rows if row["failure"] is not None])
        reached = {self._partitions[row["topic"], row["number"]]: row["position"] for row in rows}
        if reached:
            self._positions.store(reached)
        for row in rows:
            self._landed.messages += row["messages"]
            self._landed.undecodable += row["undecodable"]
            self._landed.objects += row["objects"]
            self._landed.bytes += row["bytes"]
        self._clean()

    def _persist(self, step: Callable[[], None]) -> None:
        persist(step, wait=self._wait, is_stopping=self._is_stopping)

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._is_stopping() and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, _LOOK_SECONDS))

    def _find_topics(self) -> None:
        self._incarnations |= topic_incarnations(self._source, self._source.topics)
        self._refresh_partitions()

    def _refresh_partitions(self) -> None:
        """Learn which partitions there are: a topic may have got more."""
        for topic in self._source.topics:
            try:
                found = self._consumer.list_topics(topic, timeout=_REQUEST_SECONDS).topics[topic]
            except KafkaException as error:
                raise translated(error, self._source) from error
            for number in found.partitions:
                partition = kafka_partition(topic, number, self._incarnations[topic])
                self._partitions[topic, number] = partition

    def _stored(self) -> dict[tuple[str, int], int]:
        stored = self._positions.stored(self._partitions.values())
        return {key: stored[part] for key, part in self._partitions.items() if part in stored}

    def _starting_offsets(self) -> str:
        """Return where a job without a checkpoint begins: where the group was."""
        stored = self._stored()
        offsets: dict[str, dict[str, int]] = {}
        for topic, number in self._partitions:
            offsets.setdefault(topic, {})[str(number)] = stored.get((topic, number), _EARLIEST)
        return json.dumps(offsets)

    def _lag(self) -> Mapping[str, int]:
        """Return how many messages of each partition wait to be committed, as far as is known."""
        try:
            stored = self._stored()
            lag = {}
            for key, partition in self._partitions.items():
                low, high = self._consumer.get_watermark_offsets(
                    TopicPartition(*key), timeout=_REQUEST_SECONDS
                )
                lag[partition.label] = max(0, int(high) - max(int(low), stored.get(key, 0)))
        except (FeedbackPlatformError, KafkaException) as error:
            _log.warning("The lag is not known: %s", error)
            return {}
        return lag


def _check(failed: list[dict[str, Any]]) -> None:
    """Raise what a worker met; what a person has to mend goes first."""
    for row in sorted(failed, key=lambda row: bool(row["is_transient"])):
        error = LandingFailedError if row["is_transient"] else LandingRefusedError
        raise error(row["failure"])


def _default_checkpoint(settings: Settings, source: KafkaSource) -> Path:
    """Return a place that belongs to a group and its topics: other topics are another job."""
    topics = short_digest(",".join(sorted(source.topics)))
    return settings.data_dir / "spark" / f"{slug(source.group)}-{topics}"


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _unheard(_error: KafkaError) -> None:
    """Let errors pass by that each request tells of itself."""
