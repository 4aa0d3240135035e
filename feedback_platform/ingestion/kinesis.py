"""A Kinesis consumer whose checkpoints are written only after the messages are durable."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Final

from feedback_platform.errors import TransientError
from feedback_platform.ingestion.kinesis_checkpoints import Checkpoint, KinesisCheckpoints
from feedback_platform.ingestion.kinesis_client import KinesisClient, Shard
from feedback_platform.ingestion.kinesis_decoding import kinesis_pieces
from feedback_platform.ingestion.kinesis_shard import ShardReader
from feedback_platform.ingestion.streams.claims import Claims
from feedback_platform.ingestion.streams.landing import StreamLanding
from feedback_platform.ingestion.streams.partition import StreamPartition, slug
from feedback_platform.ingestion.streams.patience import persist
from feedback_platform.ingestion.streams.summary import LagReport, StreamSummary
from feedback_platform.lake.store import Lake

# Sequence numbers have up to 56 digits.
_SEQUENCE_DIGITS: Final = 56
_LISTING_SECONDS: Final = 60.0
_READ_AT_ONCE: Final = 8
_PAUSE_SECONDS: Final = 0.05

_log = logging.getLogger(__name__)


class KinesisIngestion:
    """Reads all shards of a stream, children after their parents, into raw objects.

    Args:
        lake: where to store what is read, and how far.
        client: of the stream.
        is_from_latest: begin with what comes from now on, where no checkpoint says otherwise.
        linger: seconds that a message may wait for others of its shard.
        is_until_end: stop once everything that was there has been stored.
        is_stopping: asked several times a second; then it stores what was read and ends.
    """

    def __init__(
        self,
        lake: Lake,
        client: KinesisClient,
        *,
        is_from_latest: bool = False,
        linger: float = 1.0,
        is_until_end: bool = False,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._lake = lake
        self._client = client
        self._is_from_latest = is_from_latest
        self._is_until_end = is_until_end
        self._is_stopping = is_stopping
        self._incarnation = ""
        self._listed_at = 0.0
        self._shards: dict[str, Shard] = {}
        self._finished: set[str] = set()
        self._readers: dict[str, ShardReader] = {}
        self._checkpoints = KinesisCheckpoints(lake, self._rewind)
        self._landing = StreamLanding(lake, self._checkpoints, kinesis_pieces, linger=linger)
        self._pool = ThreadPoolExecutor(_READ_AT_ONCE, thread_name_prefix="kinesis")
        self._report = LagReport(self._landing.landed, "ms", self._lag)

    def run(self) -> StreamSummary:
        """Read until told to stop, or until the end.

        Raises:
            PermanentError: a person has to act; what was not stored is read again later.
            TransientError: told to stop while the lake fails; likewise.
        """
        try:
            while not self._is_stopping() and not self._is_at_end():
                self._persist(self._list_if_due)
                self._persist(self._read)
                self._persist(self._close_done)
                self._report.tell_if_due()
            self._persist(self._landing.land_all)
            self._persist(self._close_done)
            return self._report.summary()
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._landing.close()

    def _persist(self, step: Callable[[], None]) -> None:
        try:
            persist(step, wait=self._wait, is_stopping=self._is_stopping)
        except TransientError:
            if any(reader.writer.buffered for reader in self._readers.values()):
                raise
            # Told to stop, with nothing in hand: there is nothing to save.
            _log.warning("Stopped before Kinesis or the lake answered.")

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._is_stopping() and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, _PAUSE_SECONDS))

    def _list_if_due(self) -> None:
        """Learn which shards there are now, and begin with those whose parents are done."""
        if self._listed_at and time.monotonic() < self._listed_at + _LISTING_SECONDS:
            return
        self._incarnation = self._incarnation or self._client.incarnation()
        self._shards = {shard.shard_id: shard for shard in self._client.shards()}
        # In the order in which they were made: parents first.
        for shard in sorted(self._shards.values(), key=lambda shard: shard.shard_id):
            if shard.shard_id in self._readers:
                self._readers[shard.shard_id].shard = shard
            elif shard.shard_id not in self._finished and self._may_begin(shard):
                self._open(shard)
        self._listed_at = time.monotonic()

    def _may_begin(self, shard: Shard) -> bool:
        return all(parent in self._finished for parent in shard.parents if parent in self._shards)

    def _open(self, shard: Shard) -> None:
        """Go on behind the checkpoint, or begin with a shard that has none."""
        partition = self._partition(shard.shard_id)
        checkpoint = self._checkpoints.read(partition)
        if checkpoint.is_finished:
            self._finished.add(shard.shard_id)
            return
        since = checkpoint.since
        if checkpoint == Checkpoint() and self._is_from_latest:
            since = self._wanted_since(shard)
            self._checkpoints.begin(partition, since)
        claim = None if checkpoint.stored is not None else Claims(self._lake, partition).first()
        self._readers[shard.shard_id] = ShardReader(
            self._client,
            shard,
            self._landing.open(partition),
            # What was claimed may have been stored already, and has to be met again.
            at=claim.first if claim else None,
            after=checkpoint.stored,
            since=since,
        )
        _log.info("Reading %s.", partition.label)

    def _wanted_since(self, shard: Shard) -> datetime | None:
        """Return from when on a new shard is wanted: as its parents were, or from now."""
        for parent in shard.parents:
            checkpoint = self._checkpoints.read(self._partition(parent))
            if checkpoint != Checkpoint():
                return checkpoint.since
        return datetime.now(UTC)

    def _read(self) -> None:
        """Read every shard that is due, a few at once, and store what waited long enough."""
        due = [reader for reader in self._readers.values() if reader.is_due]
        for start in range(0, len(due), _READ_AT_ONCE):
            chosen = due[start : start + _READ_AT_ONCE]
            reads = [self._pool.submit(reader.read) for reader in chosen]
            errors = [read.exception() for read in reads]
            self._landing.land_due()
            for error in filter(None, errors):
                raise error
        if not due:
            self._landing.land_due()
            time.sleep(_PAUSE_SECONDS)

    def _close_done(self) -> None:
        """Remember which closed shards are stored to their end; their children are next."""
        for shard_id, reader in list(self._readers.items()):
            if reader.is_done:
                self._checkpoints.finish(reader.writer.partition)
                self._finished.add(shard_id)
                _log.info(
                    "Finished %s: it is closed, and all of it is stored.",
                    reader.writer.partition.label,
                )
                self._landing.drop(reader.writer.partition)
                del self._readers[shard_id]
                self._listed_at = 0.0

    def _is_at_end(self) -> bool:
        return (
            self._is_until_end
            and self._listed_at > 0
            and all(self._has_caught_up(shard) for shard in self._shards.values())
        )

    def _has_caught_up(self, shard: Shard) -> bool:
        if shard.shard_id in self._finished:
            return True
        reader = self._readers.get(shard.shard_id)
        return reader is not None and reader.has_caught_up and not shard.is_closed

    def _rewind(self, partition: StreamPartition, position: int) -> None:
        self._readers[partition.number].rewind(position)

    def _partition(self, shard_id: str) -> StreamPartition:
        stream = self._client.stream
        return StreamPartition(
            source=f"kinesis-{slug(stream)}-{slug(shard_id.removeprefix('shardId-'))}",
            stream=stream,
            number=shard_id,
            incarnation=self._incarnation,
            digits=_SEQUENCE_DIGITS,
        )

    def _lag(self) -> Mapping[str, int]:
        return {reader.writer.partition.label: reader.behind for reader in self._readers.values()}
