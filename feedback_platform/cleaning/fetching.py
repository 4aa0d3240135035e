"""Raw objects as they come from the lake, before anything in them is parsed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from feedback_platform.cleaning.reading import (
    CanonicalLines,
    RawObject,
    canonical_lines,
    parse_objects,
    unreadable_lines,
)
from feedback_platform.errors import InvalidInputError, LakeObjectMissingError
from feedback_platform.events.translation.mapping import DEFAULT_MAPPING, EventMapping
from feedback_platform.lake import keys
from feedback_platform.lake.raw import read_raw_object
from feedback_platform.lake.store import Lake

# How much of an unreadable object is quoted in quarantine; the object itself stays where it is.
QUOTED_BYTES: Final = 1 << 10


@dataclass(frozen=True)
class FetchedObject:
    """One raw object, decompressed.

    Attributes:
        key: where it lies in the lake.
        content: its bytes; the first ones of an object that is none.
        mapping: what the names of events in its received lines mean.
        is_unreadable: whether it is no raw object at all.
    """

    key: str
    content: bytes
    mapping: EventMapping = DEFAULT_MAPPING
    is_unreadable: bool = False

    @property
    def size(self) -> int:
        """How many bytes it holds in memory."""
        return len(self.content)

    def canonical(self) -> CanonicalLines:
        """Return its lines in the terms of the contract."""
        if self.is_unreadable:
            return unreadable_lines(self.key, self.content)
        return canonical_lines(self.key, self.content, self.mapping)


def fetch_object(
    lake: Lake, key: str, mapping: EventMapping, *, is_listed: bool = False
) -> FetchedObject:
    """Fetch one raw object; one that cannot be decompressed is unreadable, and holds nobody up.

    Args:
        lake: where it lies.
        key: of the object.
        mapping: what the names of events in received lines mean.
        is_listed: whether a listing has just shown it. Beside the files of Firehose a listing also
            shows the marks of empty folders, which consoles make and which cannot be read by the
            name that is shown; there is nothing in them.

    Raises:
        PermanentError: there is no such object, or it may not be read.
        TransientError: the store did not answer.
    """
    try:
        return FetchedObject(key, read_raw_object(lake, key), mapping)
    except InvalidInputError:
        return FetchedObject(key, lake.get(key)[:QUOTED_BYTES], mapping, is_unreadable=True)
    except LakeObjectMissingError:
        if not (is_listed and keys.is_firehose(key)):
            raise
        return FetchedObject(key, b"", mapping)


def read_object(
    lake: Lake, key: str, mapping: EventMapping = DEFAULT_MAPPING, *, is_listed: bool = False
) -> RawObject:
    """Fetch one raw object and parse it; one that is none becomes a single rejected line."""
    (item,) = parse_objects([fetch_object(lake, key, mapping, is_listed=is_listed).canonical()])
    return item
