"""What Spark's Python workers do: parse raw objects as every engine does, and hand over columns.

Raw objects come in as (key, content) rows. Out go the rows of their events, and for each object one
row with what it holds beside them, from which the driver quotes rejected lines.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson
import polars as pl
import pyarrow as pa

from feedback_platform.cleaning.erased_events import without_erased
from feedback_platform.cleaning.fetching import FetchedObject
from feedback_platform.cleaning.reading import (
    RawObject,
    lines_of_object,
    nothing_to_read,
    parse_objects,
)
from feedback_platform.cleaning.received_lines import RefusedLine
from feedback_platform.cleaning.typed_columns import typed_events
from feedback_platform.events import columns as c
from feedback_platform.events.translation.mapping import EventMapping
from feedback_platform.lake.tombstones import NOBODY, Tombstones

# JSON of what an object holds beside its events; null in the row of an event.
BESIDE: Final = "beside_events"

_KEY: Final = "key"
_CONTENT: Final = "content"
_CONTENTS: Final = pa.schema([(_KEY, pa.string()), (_CONTENT, pa.binary())])
_ROWS_AT_A_TIME: Final = 100_000
_SPARK_TYPES: Final = {
    pl.String: "string",
    pl.Float64: "double",
    pl.Int64: "bigint",
    pl.Datetime: "timestamp",
}


@dataclass(frozen=True)
class Parsing:
    """Parses the raw objects of a Spark partition.

    Attributes:
        mapping: what the names of events in received lines mean.
        tombstones: whose events are left out.
    """

    mapping: EventMapping
    tombstones: Tombstones = NOBODY

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Return rows of `parsed_columns` for rows of `contents`."""
        for batch in batches:
            items = parse_objects(
                [
                    FetchedObject(row[_KEY], row[_CONTENT], self.mapping).canonical()
                    for row in batch.to_pylist()
                ]
            )
            events = typed_events([item.texts for item in items])
            items, events = without_erased(items, events, self.tombstones)
            beside = pl.DataFrame(
                {
                    c.RAW_OBJECT: [item.key for item in items],
                    BESIDE: [_beside(item) for item in items],
                }
            )
            rows = pl.concat([_parsed_schema().to_frame(), events, beside], how="diagonal")
            yield from _without_large_types(rows).to_batches(max_chunksize=_ROWS_AT_A_TIME)


def contents(objects: list[FetchedObject], part_bytes: int) -> pa.Table:
    """Return (key, content) rows, in chunks of about so many bytes; each is a Spark partition."""
    chunks: list[list[FetchedObject]] = [[]]
    size = 0
    for item in objects:
        if size >= part_bytes:
            chunks.append([])
            size = 0
        chunks[-1].append(item)
        size += item.size
    return pa.Table.from_batches([_chunk(held) for held in chunks], _CONTENTS)


def parsed_columns() -> str:
    """Return the names and Spark's types of what parsing gives."""
    return ", ".join(
        f"{name} {_SPARK_TYPES[type(kind)]}" for name, kind in _parsed_schema().items()
    )


def without_events(item: FetchedObject, beside: str) -> RawObject:
    """Return what was parsed of an object, but for its events, which Spark has.

    Args:
        item: as it was fetched.
        beside: what `beside_events` says of it.
    """
    found = orjson.loads(beside)
    return RawObject(
        item.key,
        found["lines"],
        nothing_to_read(),
        found["unreadable_rows"],
        lines_of_object(item.key, item.content),
        refused=[_refused_line(*line) for line in found["refused"]],
        erased=found["erased"],
    )


def _parsed_schema() -> pl.Schema:
    nothing = typed_events([nothing_to_read()])
    return nothing.with_columns(pl.lit(None, pl.String).alias(BESIDE)).schema


def _beside(item: RawObject) -> str:
    refused = [_written(line) for line in item.refused]
    found = {
        "lines": item.lines,
        "unreadable_rows": item.unreadable_rows,
        "refused": refused,
        "erased": item.erased,
    }
    return orjson.dumps(found).decode()


def _written(line: RefusedLine) -> tuple[int, str, str | None, str | None, str | None]:
    # Only a text may be a time; anything else may be as deep as it likes.
    received_at = line.received_at if isinstance(line.received_at, str) else None
    carried = None if line.content is None else base64.b64encode(line.content).decode()
    return line.row, line.reason, line.field, received_at, carried


def _refused_line(
    row: int, reason: str, field: str | None, received_at: Any, content: str | None
) -> RefusedLine:
    carried = None if content is None else base64.b64decode(content)
    return RefusedLine(row, reason, field, received_at, carried)


def _chunk(objects: list[FetchedObject]) -> pa.RecordBatch:
    columns = [[item.key for item in objects], [item.content for item in objects]]
    return pa.RecordBatch.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, _CONTENTS, strict=True)],
        schema=_CONTENTS,
    )


def _without_large_types(rows: pl.DataFrame) -> pa.Table:
    """Return Arrow columns; Spark has texts up to 2 GiB only."""
    table = rows.to_arrow(compat_level=pl.CompatLevel.oldest())
    fields = [
        pa.field(f.name, pa.string() if f.type == pa.large_string() else f.type)
        for f in table.schema
    ]
    return table.cast(pa.schema(fields))
