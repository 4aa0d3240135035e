"""Raw objects: from their bytes to the text of canonical events, and the lines that are none.

Received lines are translated to canonical events first; from there on every line is an event.
A line that is not a JSON object never costs its neighbours anything: it becomes a rejected line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, pairwise
from typing import Final

import numpy as np
import polars as pl

from feedback_platform.cleaning.erased_lines import without_erased_marks
from feedback_platform.cleaning.received_lines import (
    RefusedLine,
    holds_foreign_records,
    holds_received_lines,
    translate_lines,
)
from feedback_platform.cleaning.records import one_record_a_line
from feedback_platform.cleaning.text_columns import (
    TEXT_SCHEMA,
    Rows,
    line_ends,
    line_starts,
    read_lines,
)
from feedback_platform.cleaning.typed_columns import typed_events
from feedback_platform.events import columns as c
from feedback_platform.events.translation.mapping import DEFAULT_MAPPING, EventMapping
from feedback_platform.lake import keys

_HOUR: Final = "%Y-%m-%dT%H:%M:%SZ"
# Small objects are parsed together, up to this size: each call costs about a millisecond.
_TOGETHER_BYTES: Final = 8 << 20


@dataclass(frozen=True)
class CanonicalLines:
    """A raw object before its JSON is parsed.

    Attributes:
        key: where it lies in the lake.
        content: its bytes, from which a rejected line is quoted.
        ndjson: canonical events, one a line, each with its end: the content itself, unless lines
            were translated.
        ends: `line_ends` of it.
        came_from: the line of the content that each event came from; None where they are the same.
        refused: the received lines that are no events.
        is_unreadable: whether it is no raw object at all; then it counts as one rejected line.
        erased: rows of lines that were erased; blank ones stand in their place.
    """

    key: str
    content: bytes
    ndjson: bytes
    ends: Rows
    came_from: list[int] | None = None
    refused: list[RefusedLine] = field(default_factory=list)
    is_unreadable: bool = False
    erased: int = 0

    @property
    def size(self) -> int:
        """How many bytes it holds in memory."""
        return len(self.content) + (0 if self.ndjson is self.content else len(self.ndjson))


@dataclass(frozen=True)
class RawObject:
    """One raw object as read.

    Attributes:
        key: where it lies in the lake.
        lines: how many events it has, and lines that are none; blank ones are left out. A received
            line may hold several events. What was erased is among them.
        texts: the readable lines; canonical fields as text, `raw_object` and `raw_row` beside them.
        unreadable_rows: line numbers (from 0) that hold no JSON object.
        content: the bytes, from which a rejected line is quoted.
        is_unreadable: whether it is no raw object at all; then it counts as one rejected line.
        refused: the received lines that are no events.
        erased: how many of `lines` were of users who were erased; nothing else is known of those.
    """

    key: str
    lines: int
    texts: pl.DataFrame
    unreadable_rows: list[int]
    content: bytes
    is_unreadable: bool = False
    refused: list[RefusedLine] = field(default_factory=list)
    erased: int = 0

    @property
    def events(self) -> pl.DataFrame:
        """The readable lines with their types; see `typed_events`."""
        return typed_events([self.texts])

    def line(self, row: int) -> bytes:
        """Return the bytes of a line."""
        if self.is_unreadable:
            return self.content
        start = self._line_ends[row - 1] + 1 if row else 0
        return self.content[start : self._line_ends[row]]

    @cached_property
    def _line_ends(self) -> list[int]:
        """Where the lines end, blank ones included; looked up only if one has to be quoted."""
        return [*line_ends(self.content).tolist(), len(self.content)]


def parse_raw_object(
    key: str, content: bytes, mapping: EventMapping = DEFAULT_MAPPING
) -> RawObject:
    """Read one raw object; see `canonical_lines` for the arguments."""
    (item,) = parse_objects([canonical_lines(key, content, mapping)])
    return item


def canonical_lines(
    key: str, content: bytes, mapping: EventMapping = DEFAULT_MAPPING
) -> CanonicalLines:
    """Translate the received lines of a raw object.

    Args:
        key: its key; the hour in it stands in for a missing `received_at`.
        content: NDJSON, UTF-8; the records of a file of Firehose may follow one another directly.
        mapping: what the names of events in received lines mean.
    """
    content, erased = without_erased_marks(lines_of_object(key, content))
    ndjson = content if content.endswith(b"\n") or not content else content + b"\n"
    ends = line_ends(ndjson)
    is_bare = keys.is_firehose(key) and holds_foreign_records(content)
    if not is_bare and not holds_received_lines(ndjson, line_starts(ends)):
        return CanonicalLines(key, content, ndjson, ends, erased=erased)
    translated = translate_lines(key, content, mapping, is_bare=is_bare)
    ends = line_ends(translated.ndjson)
    return CanonicalLines(
        key,
        content,
        translated.ndjson,
        ends,
        translated.rows,
        translated.refused,
        erased=erased,
    )


def unreadable_lines(key: str, content: bytes) -> CanonicalLines:
    """Return what stands for an object that is not what a writer of this platform writes.

    Args:
        key: its key.
        content: its first bytes, for the quarantine.
    """
    return CanonicalLines(key, content, b"", line_ends(b""), is_unreadable=True)


def lines_of_object(key: str, content: bytes) -> bytes:
    """Return the content of an object with each of its records on a line."""
    return one_record_a_line(content) if keys.is_firehose(key) else content


def parse_objects(objects: list[CanonicalLines]) -> list[RawObject]:
    """Parse the JSON of raw objects, in their order; what becomes of one depends on no other."""
    return list(chain.from_iterable(_parsed_together(group) for group in _groups(objects)))


def nothing_to_read() -> pl.DataFrame:
    """Return the `texts` of an object without events."""
    return pl.DataFrame(schema={**TEXT_SCHEMA, c.RAW_OBJECT: pl.String, c.RAW_ROW: pl.Int64})


def _groups(objects: list[CanonicalLines]) -> Iterator[list[CanonicalLines]]:
    held: list[CanonicalLines] = []
    size = 0
    for item in objects:
        if held and size + len(item.ndjson) > _TOGETHER_BYTES:
            yield held
            held, size = [], 0
        held.append(item)
        size += len(item.ndjson)
    if held:
        yield held


def _parsed_together(objects: list[CanonicalLines]) -> list[RawObject]:
    """Parse objects as if they were one, and give each its own again."""
    counts = [len(item.ends) for item in objects]
    offsets = np.cumsum([0, *(len(item.ndjson) for item in objects[:-1])])
    content = b"".join(item.ndjson for item in objects)
    ends = np.concatenate([item.ends for item in objects]) + np.repeat(offsets, counts)
    read = read_lines(content, ends)
    owners = np.repeat(np.arange(len(objects)), counts)
    origins = np.concatenate([_origins(*pair) for pair in zip(objects, counts, strict=True)])
    rows, unreadable = read.rows, read.unreadable
    texts = read.texts.with_columns(
        pl.col(c.RECEIVED_AT).fill_null(_repeated(_hours(objects), owners[rows])),
        _repeated([item.key for item in objects], owners[rows]).alias(c.RAW_OBJECT),
        pl.Series(c.RAW_ROW, origins[rows], pl.Int64),
    )
    events = _extents(owners[rows], len(objects))
    lost = _extents(owners[unreadable], len(objects))
    return [
        _parsed(item, texts[of_events], origins[unreadable[of_lost]].tolist())
        for item, of_events, of_lost in zip(objects, events, lost, strict=True)
    ]


def _parsed(item: CanonicalLines, texts: pl.DataFrame, unreadable: list[int]) -> RawObject:
    unreadable = [0] if item.is_unreadable else unreadable
    return RawObject(
        item.key,
        texts.height + len(unreadable) + len(item.refused) + item.erased,
        texts,
        unreadable,
        item.content,
        is_unreadable=item.is_unreadable,
        refused=item.refused,
        erased=item.erased,
    )


def _hours(objects: list[CanonicalLines]) -> list[str]:
    """Return what stands in for a missing time of reception, for each object."""
    return [keys.hour_of(item.key).strftime(_HOUR) for item in objects]


def _origins(item: CanonicalLines, lines: int) -> Rows:
    """Return the line of the object that each line of its canonical ones came from."""
    return np.arange(lines) if item.came_from is None else np.array(item.came_from, np.int64)


def _repeated(values: list[str], owners: Rows) -> pl.Series:
    return pl.Series(values, dtype=pl.String).gather(owners)


def _extents(owners: Rows, count: int) -> list[slice]:
    """Return which rows are each owner's; they stand together, in the order of the owners."""
    edges = np.searchsorted(owners, np.arange(count + 1)).tolist()
    return [slice(first, end) for first, end in pairwise(edges)]
