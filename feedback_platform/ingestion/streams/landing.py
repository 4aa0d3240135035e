"""Storing what was read of many partitions: in rounds, durable first and counted as read after."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeVar

from feedback_platform.errors import FeedbackPlatformError
from feedback_platform.ingestion.streams.claims import Claim
from feedback_platform.ingestion.streams.partition import StreamPartition, StreamPositions
from feedback_platform.ingestion.streams.partition_writer import PartitionWriter, Written
from feedback_platform.ingestion.streams.pieces import Decoder
from feedback_platform.lake.store import Lake

# Memory for what waits, whatever the number of partitions.
MAX_BUFFERED_BYTES: Final = 64 << 20
# Steady traffic in any number of partitions makes at most 7,200 objects an hour with a linger of a
# second; a list of so many takes less than a second.
_PARTITIONS_PER_LINGER: Final = 2
_LONGEST_LINGER: Final = 30.0
_WRITERS: Final = 8

_Result = TypeVar("_Result")


@dataclass
class Landed:
    """What was stored since the start.

    Attributes:
        messages: number of messages, each counted when its position was stored.
        undecodable: number of lines among theirs that could not be decoded.
        objects: number of raw objects.
        bytes: size of their lines.
    """

    messages: int = 0
    undecodable: int = 0
    objects: int = 0
    bytes: int = 0

    def add(self, written: Written) -> None:
        """Count one object."""
        self.messages += written.messages
        self.undecodable += written.undecodable
        self.objects += 1
        self.bytes += written.bytes


class StreamLanding:
    """The writers of the partitions that a consumer reads now.

    Every failure leaves things so that the same call, made again, carries on; nothing counts as
    read before it is durable.
    """

    def __init__(
        self,
        lake: Lake,
        positions: StreamPositions,
        decode: Decoder,
        *,
        linger: float,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.landed = Landed()
        self._lake = lake
        self._positions = positions
        self._decode = decode
        self._linger = linger
        self._clock = clock
        self._writers: dict[StreamPartition, PartitionWriter] = {}
        self._pool = ThreadPoolExecutor(_WRITERS, thread_name_prefix="landing")

    def open(self, partition: StreamPartition) -> PartitionWriter:
        """Begin with a partition; return who takes its messages."""
        writer = PartitionWriter(self._lake, partition, self._decode, clock=self._clock)
        self._writers[partition] = writer
        return writer

    def drop(self, partition: StreamPartition) -> None:
        """Forget a partition and what waits of it; it is read again by whoever comes next."""
        self._writers.pop(partition, None)

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    @property
    def linger(self) -> float:
        """Seconds that a message may wait for others; more partitions wait longer."""
        share = max(1.0, len(self._writers) / _PARTITIONS_PER_LINGER)
        return max(self._linger, min(_LONGEST_LINGER, self._linger * share))

    def land_due(self) -> None:
        """Store what is full or has waited long enough.

        Raises:
            TransientError: something that is needed did not answer; nothing is lost.
        """
        now = time.monotonic()
        while full := [writer for writer in self._writers.values() if writer.is_full]:
            self._round(full)
        waiting = [
            (now - writer.waiting_since, writer)
            for writer in self._writers.values()
            if writer.waiting_since is not None and not writer.is_held_up
        ]
        if not waiting:
            return
        is_crowded = self._buffered_bytes() > MAX_BUFFERED_BYTES
        if is_crowded or max(waited for waited, _ in waiting) >= self.linger:
            # Those that would soon follow come along: one round costs less than two.
            soon = 0.0 if is_crowded else self.linger / 2
            self._round(writer for waited, writer in waiting if waited >= soon)

    def land_all(self, partitions: Collection[StreamPartition] | None = None) -> None:
        """Store all that was added, of some partitions or of all.

        Only what another's claim holds up stays: whoever comes next reads it again.

        Raises:
            TransientError: something that is needed did not answer; nothing is lost.
        """
        wanted = self._writers if partitions is None else partitions
        writers = [self._writers[partition] for partition in wanted if partition in self._writers]
        while self._round(writer for writer in writers if writer.buffered):
            pass

    def _buffered_bytes(self) -> int:
        return sum(writer.buffered_bytes for writer in self._writers.values())

    def _round(self, writers: Iterable[PartitionWriter]) -> bool:
        """Store one object of each partition; return whether there were any to store."""
        chosen = list(writers)
        claimed = self._each(chosen, lambda writer: writer.claim())
        claims = {writer: claim.result() for writer, claim in claimed.items()}
        ready = {writer: claim for writer, claim in claims.items() if claim is not None}
        owned = self._still_ours(ready)
        written = self._each(owned, lambda writer: writer.write(owned[writer]))
        done = {
            writer: future.result()
            for writer, future in written.items()
            if future.exception() is None
        }
        if done:
            self._positions.store({w.partition: owned[w].last + 1 for w in done})
        for writer, outcome in done.items():
            self.landed.add(outcome)
            writer.settle(owned[writer])
        for future in written.values():
            future.result()
        return bool(ready)

    def _still_ours(self, ready: dict[PartitionWriter, Claim]) -> dict[PartitionWriter, Claim]:
        """Leave out the partitions that another consumer has stored beyond what waits here.

        Its claims may be gone already, and with them what this one would have to follow. Asked
        after the claim was made, the answer holds: a claim is only deleted once the partition was
        stored beyond it, and the claim that is there now was there when the answer was given.
        """
        if not ready:
            return {}
        stored = self._positions.stored([writer.partition for writer in ready])
        owned = {}
        for writer, claim in ready.items():
            position = stored.get(writer.partition)
            if position is not None and position > writer.first_position:
                # In this order: were it the other way round, a failure between the two would skip
                # what was abandoned.
                self._positions.rewind(writer.partition, position)
                writer.abandon()
            else:
                owned[writer] = claim
        return owned

    def _each(
        self, writers: Iterable[PartitionWriter], step: Callable[[PartitionWriter], _Result]
    ) -> dict[PartitionWriter, Future[_Result]]:
        """Do a step for several partitions at once, and wait for all of them."""
        futures = {writer: self._pool.submit(step, writer) for writer in writers}
        for future in futures.values():
            error = future.exception()
            if error is not None and not isinstance(error, FeedbackPlatformError):
                raise error
        return futures
