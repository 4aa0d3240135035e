"""What Kafka and Kinesis have in common: partitions, and messages at positions in them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

# A file name has room for 255 bytes, most of which the positions take.
_LONGEST_SLUG = 60


class Message(NamedTuple):
    """One message as the broker keeps it.

    Attributes:
        position: ascending within the partition; the broker keeps it for good.
        timestamp: milliseconds since 1970 by the broker, or 0 where it has none.
        value: what was sent, or None for a message without a value.
    """

    position: int
    timestamp: int
    value: bytes | None


@dataclass(frozen=True)
class StreamPartition:
    """One ordered part of a stream.

    Attributes:
        source: who writes its raw objects; lower-case letters, digits and single dashes.
        stream: the topic or stream, as its owner calls it.
        number: of the partition, as the broker calls it.
        incarnation: 8 hexadecimal digits. A stream that was deleted and made anew has others:
            its positions begin again, and mean other messages.
        digits: the width of a position in names.
    """

    source: str
    stream: str
    number: str
    incarnation: str
    digits: int

    @property
    def label(self) -> str:
        """What people call the partition."""
        return f"{self.stream}-{self.number}"

    def written(self, position: int) -> str:
        """Return a position as it stands in names, which sort like the positions."""
        return f"{position:0{self.digits}d}"

    def fallback_id(self, position: int) -> str:
        """Return the id of an event that has none of its own."""
        return f"{self.label}-{position}-{self.incarnation}"


class StreamPositions(Protocol):
    """How far each partition was stored, by the word of whoever hands the partitions out."""

    def stored(self, partitions: list[StreamPartition]) -> Mapping[StreamPartition, int]:
        """Return the position after the last one stored; partitions without one are left out.

        Raises:
            TransientError: the broker does not answer.
        """

    def store(self, positions: Mapping[StreamPartition, int]) -> None:
        """Remember the position after the last one stored.

        Raises:
            TransientError: it was not remembered.
        """

    def rewind(self, partition: StreamPartition, position: int) -> None:
        """Deliver the partition's messages from a position on, if it is still ours."""


def slug(name: str) -> str:
    """Return a name in lower-case letters, digits and single dashes; different names differ."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:_LONGEST_SLUG].strip("-")
    if plain == name:
        return plain
    return f"{plain}-{short_digest(name)}".lstrip("-")


def short_digest(text: str) -> str:
    """Return 8 hexadecimal digits that stand for a text."""
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
