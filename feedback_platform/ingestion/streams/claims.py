"""Where the raw objects of a partition begin and end, agreed upon before they are written.

A consumer may be killed between any two steps, and two may read the same partition for a while: one
that was believed dead, and the one that took its place. So that they write the same objects, the
first to write one claims its range: it creates a small object under the first position, which says
where the range ends. Creating is atomic in every store; whoever comes second reads the claim and
follows it. Ranges that begin where the one before ended make one chain, whoever walked it.

Claims are deleted some time after their range was stored (see `PartitionWriter`).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

import orjson

from feedback_platform.errors import LakeObjectExistsError, LakeObjectMissingError
from feedback_platform.ingestion.streams.partition import StreamPartition
from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake


@dataclass(frozen=True)
class Claim:
    """The range of positions that one raw object holds.

    Attributes:
        first, last: positions, both included.
        received_at: of the first message; milliseconds since 1970, like all times here.
        claimed_at: stands for the time of a message that has none.
        is_own: whether this process made the claim just now.
    """

    first: int
    last: int
    received_at: int
    claimed_at: int
    is_own: bool = False


class Claims:
    """The claims on one partition."""

    def __init__(self, lake: Lake, partition: StreamPartition) -> None:
        self._lake = lake
        self._partition = partition

    def made(self, wanted: Claim) -> Claim:
        """Claim a range, or return the claim that begins there already."""
        first = wanted.first
        # As text: a position of Kinesis has more digits than JSON's readers keep.
        content = orjson.dumps(
            {
                "first": str(first),
                "last": str(wanted.last),
                "received_at": wanted.received_at,
                "claimed_at": wanted.claimed_at,
            }
        )
        while True:
            with suppress(LakeObjectExistsError):
                self._lake.put(self._key(first), content, mode="create")
                return replace(wanted, is_own=True)
            # Between the two it may have been deleted: then there is room for ours.
            with suppress(LakeObjectMissingError):
                return self._read(first)

    def covering(self, position: int) -> tuple[Claim | None, list[int]]:
        """Return the claim whose range holds a position, and where all older ones begin."""
        while True:
            before = [first for first in self._firsts() if first <= position]
            if not before:
                return None, []
            # Whoever stored its range may delete a claim after it was listed.
            with suppress(LakeObjectMissingError):
                newest = self._read(before[-1])
                return (newest, before[:-1]) if newest.last >= position else (None, before)

    def first(self) -> Claim | None:
        """Return the claim with the lowest range, or None before there is one."""
        while firsts := self._firsts():
            with suppress(LakeObjectMissingError):
                return self._read(firsts[0])
        return None

    def delete(self, first: int) -> None:
        """Forget the claim that begins at a position."""
        self._lake.delete([self._key(first)])

    def _firsts(self) -> list[int]:
        prefix = keys.claims(self._partition.source, self._partition.incarnation)
        listed = self._lake.list_keys(prefix)
        return [int(key.rpartition("/")[2].removesuffix(".json")) for key in listed]

    def _read(self, first: int) -> Claim:
        found = orjson.loads(self._lake.get(self._key(first)))
        return Claim(
            first=int(found["first"]),
            last=int(found["last"]),
            received_at=found["received_at"],
            claimed_at=found["claimed_at"],
        )

    def _key(self, first: int) -> str:
        written = self._partition.written(first)
        return keys.claim(self._partition.source, self._partition.incarnation, written)
