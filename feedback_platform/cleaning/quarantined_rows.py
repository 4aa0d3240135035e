"""What is put aside of a batch: each refused line or event with reason, field, source and bytes."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import orjson
import polars as pl

from feedback_platform.cleaning import validation as v
from feedback_platform.cleaning.reading import RawObject
from feedback_platform.cleaning.received_times import received_time
from feedback_platform.events import columns as c
from feedback_platform.events.received import OPENING
from feedback_platform.lake import keys

SOURCE: Final = "source"
RAW: Final = "raw"
QUARANTINE_SCHEMA: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    c.RAW_OBJECT: pl.String,
    c.RAW_ROW: pl.Int64,
    c.RECEIVED_AT: pl.Datetime("us", "UTC"),
    SOURCE: pl.String,
    v.REASON: pl.String,
    v.FIELD: pl.String,
    RAW: pl.Binary,
}


def quarantined_rows(objects: list[RawObject], rejected: pl.DataFrame) -> pl.DataFrame:
    """Return what is put aside, in `QUARANTINE_SCHEMA`.

    Args:
        objects: the raw objects of the batch.
        rejected: the events that the contract refuses, with `reason` and `field`.
    """
    by_key = {item.key: item for item in objects}
    rows = [
        _row(by_key[key], row, received_at, reason, field)
        for key, row, received_at, reason, field in rejected.select(
            c.RAW_OBJECT, c.RAW_ROW, c.RECEIVED_AT, v.REASON, v.FIELD
        ).iter_rows()
    ]
    for item in objects:
        hour = keys.hour_of(item.key)
        unreadable = v.UNREADABLE_OBJECT if item.is_unreadable else v.MALFORMED_JSON
        rows += [_row(item, row, hour, unreadable, None) for row in item.unreadable_rows]
        rows += [
            _row(
                item,
                line.row,
                received_time(line.received_at, hour),
                line.reason,
                line.field,
                line.content,
            )
            for line in item.refused
        ]
    frame = pl.DataFrame(rows, schema=QUARANTINE_SCHEMA, orient="row")
    # Several events of one line stay in the order in which the line holds them.
    return frame.sort(c.RAW_OBJECT, c.RAW_ROW, maintain_order=True)


def _row(
    item: RawObject,
    row: int,
    received_at: datetime,
    reason: str,
    field: str | None,
    content: bytes | None = None,
) -> tuple[Any, ...]:
    line = item.line(row)
    source = _source_of(item.key, line)
    return (item.key, row, received_at, source, reason, field, line if content is None else content)


def _source_of(key: str, line: bytes) -> str:
    """Return who wrote a raw object; for the collector, also whose write key it came with."""
    writer = keys.source_of(key)
    if writer != keys.COLLECTOR or not line.startswith(OPENING):
        return writer
    try:
        sender = orjson.loads(line).get("source")
    except orjson.JSONDecodeError:
        return writer
    return f"{writer}/{sender}" if isinstance(sender, str) and sender else writer
