"""How far each shard was stored, kept in the lake itself: Kinesis remembers it for nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import orjson

from feedback_platform.ingestion.streams.partition import StreamPartition
from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake


@dataclass(frozen=True)
class Checkpoint:
    """How far a shard was stored.

    Attributes:
        stored: the last position stored, or None before the first.
        since: what came earlier is not wanted; None where all is.
        is_finished: whether the shard is closed and all of it is stored.
    """

    stored: int | None = None
    since: datetime | None = None
    is_finished: bool = False


class KinesisCheckpoints:
    """One object a shard, replaced after what it tells of is durable.

    Two consumers of one stream store the same objects twice, which changes nothing, since claims
    decide their bounds. A checkpoint is never set back knowingly; where two consumers write at the
    same moment the lower one may stay, and the next reader follows the claims behind it again.

    Args:
        lake: where they are kept.
        rewind: delivers a shard's messages from a position on.
    """

    def __init__(self, lake: Lake, rewind: Callable[[StreamPartition, int], None]) -> None:
        self._lake = lake
        self._rewind = rewind

    def read(self, partition: StreamPartition) -> Checkpoint:
        """Return a shard's checkpoint; that of an earlier stream of the same name does not count.

        Raises:
            LakeUnavailableError: the store failed.
        """
        content = self._lake.find(keys.checkpoint(partition.source))
        found = orjson.loads(content) if content else {}
        if found.get("incarnation") != partition.incarnation:
            return Checkpoint()
        return Checkpoint(
            stored=int(found["stored"]) if found["stored"] is not None else None,
            since=datetime.fromisoformat(found["since"]) if found["since"] else None,
            is_finished=found["is_finished"],
        )

    def begin(self, partition: StreamPartition, since: datetime | None) -> None:
        """Remember that a shard is read from an instant on, or from its beginning."""
        self._write(partition, Checkpoint(since=since))

    def finish(self, partition: StreamPartition) -> None:
        """Remember that all of a closed shard is stored."""
        self._write(partition, replace(self.read(partition), is_finished=True))

    def stored(self, partitions: Iterable[StreamPartition]) -> dict[StreamPartition, int]:
        """Return the position after the last one stored; shards without one are left out."""
        found = {partition: self.read(partition).stored for partition in partitions}
        return {partition: last + 1 for partition, last in found.items() if last is not None}

    def store(self, positions: Mapping[StreamPartition, int]) -> None:
        """Remember the position after the last one stored."""
        for partition, position in positions.items():
            known = self.read(partition)
            if known.stored is None or known.stored < position - 1:
                self._write(partition, replace(known, stored=position - 1))

    def rewind(self, partition: StreamPartition, position: int) -> None:
        """Deliver a shard's messages from a position on."""
        self._rewind(partition, position)

    def _write(self, partition: StreamPartition, checkpoint: Checkpoint) -> None:
        content = {
            "stream": partition.stream,
            "shard": partition.number,
            "incarnation": partition.incarnation,
            # As text: a sequence number has more digits than JSON's readers keep.
            "stored": None if checkpoint.stored is None else str(checkpoint.stored),
            "since": checkpoint.since.isoformat() if checkpoint.since else None,
            "is_finished": checkpoint.is_finished,
        }
        key = keys.checkpoint(partition.source)
        self._lake.put(key, orjson.dumps(content), mode="overwrite")
