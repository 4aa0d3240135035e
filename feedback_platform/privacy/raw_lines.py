"""Raw objects without the lines of erased users: the one exception to raw being immutable.

An object keeps its key, and each line its number, so whatever was made of the others stays as it
is, is made again by a rebuild, and nothing is taken for new. A line becomes a mark that only counts
(`erased_lines`). Rewriting twice changes nothing the second time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import polars as pl

from feedback_platform.cleaning.erased_events import erased_rows, names_erased
from feedback_platform.cleaning.erased_lines import erased_line, marked_rows
from feedback_platform.cleaning.fetching import FetchedObject, fetch_object
from feedback_platform.cleaning.reading import lines_of_object, parse_objects
from feedback_platform.errors import LakeObjectMissingError
from feedback_platform.events import columns as c
from feedback_platform.events.translation.mapping import EventMapping
from feedback_platform.lake import keys
from feedback_platform.lake.raw import rewrite_raw_object, salvaged
from feedback_platform.lake.store import Lake
from feedback_platform.lake.tombstones import Tombstones

ROWS: Final = "rows"
_ERASED_SCHEMA: Final = {c.RAW_OBJECT: pl.String, c.RAW_ROW: pl.Int64, ROWS: pl.Int64}
_TOGETHER_BYTES: Final = 32 << 20


@dataclass(frozen=True)
class ErasedLines:
    """What is erased in raw objects, by this pass and by those before it.

    Attributes:
        lines: raw_object, raw_row, and the `rows` that the line had.
        looked_at: objects.
        rewritten: objects that this pass changed.
        removed: rows that this pass took out.
    """

    lines: pl.DataFrame
    looked_at: int
    rewritten: int
    removed: int


def erase_raw_lines(
    lake: Lake,
    raw_objects: list[str],
    tombstones: Tombstones,
    mapping: EventMapping,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> ErasedLines:
    """Take the lines of erased users out of raw objects.

    Args:
        lake: where they lie.
        raw_objects: keys; one that is gone meanwhile is passed over.
        tombstones: who was erased.
        mapping: what the names of events in received lines mean.
        progress: called with objects done and objects in all.
    """
    found: list[tuple[str, int, int]] = []
    rewritten = removed = done = 0
    for group in _groups(lake, raw_objects, mapping):
        parsed = parse_objects([item.canonical() for item in group])
        erased = erased_rows(parsed, tombstones)
        for item in group:
            rows = erased[item.key]
            if item.is_unreadable:
                rows = _rows_of_unreadable(lake, item.key, tombstones)
                content = b""
            else:
                content = lines_of_object(item.key, item.content)
            if rows:
                rewrite_raw_object(lake, item.key, _with_marks(content, rows))
                rewritten, removed = rewritten + 1, removed + sum(rows.values())
            known = {**marked_rows(content), **rows}
            found += [(item.key, row, count) for row, count in known.items()]
        done += len(group)
        if progress is not None:
            progress(done, len(raw_objects))
    lines = pl.DataFrame(found, schema=_ERASED_SCHEMA, orient="row").sort(c.RAW_OBJECT, c.RAW_ROW)
    return ErasedLines(lines, done, rewritten, removed)


def _groups(
    lake: Lake, raw_objects: list[str], mapping: EventMapping
) -> Iterator[list[FetchedObject]]:
    held: list[FetchedObject] = []
    size = 0
    for key in raw_objects:
        try:
            item = fetch_object(lake, key, mapping, is_listed=True)
        except LakeObjectMissingError:
            continue
        held.append(item)
        size += item.size
        if size >= _TOGETHER_BYTES:
            yield held
            held, size = [], 0
    if held:
        yield held


def _with_marks(content: bytes, rows: dict[int, int]) -> bytes:
    lines = content.split(b"\n")
    for row, count in rows.items():
        lines[row] = erased_line(count)
    return b"\n".join(lines)


def _rows_of_unreadable(lake: Lake, key: str, tombstones: Tombstones) -> dict[int, int]:
    """Return the one row of an object that cannot be read, if it holds anything of the users."""
    data = lake.get(key)
    hour = keys.hour_of(key)
    readable, _ = salvaged(data)
    return {0: 1} if names_erased(readable, hour, tombstones) else {}
