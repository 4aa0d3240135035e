"""From the bytes of raw objects to typed columns: the edge where Polars reads JSON.

Received lines are translated to canonical events first; from there on every line is an event.
A line that is not a JSON object, or a field whose text is not of its kind, never costs its
neighbours anything: the one becomes a rejected line, the other a null that `malformed_field` names.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Final

import orjson
import polars as pl

from feedback_platform.cleaning.exact_texts import NAMES, NO_NAME, exact_texts, rewritten_line
from feedback_platform.cleaning.received_lines import (
    RefusedLine,
    holds_foreign_records,
    holds_received_lines,
    translate_lines,
)
from feedback_platform.cleaning.records import one_record_a_line
from feedback_platform.cleaning.validation import MALFORMED_FIELD
from feedback_platform.events import columns as c
from feedback_platform.events.contract import FIELDS, FieldKind
from feedback_platform.events.translation.mapping import DEFAULT_MAPPING, EventMapping
from feedback_platform.lake import keys

_TEXT_SCHEMA: Final = dict.fromkeys(FIELDS, pl.String)
_ZULU: Final = "%Y-%m-%dT%H:%M:%S%.fZ"
_ZULU_SECONDS: Final = "%Y-%m-%dT%H:%M:%SZ"
_WITH_OFFSET: Final = "%Y-%m-%dT%H:%M:%S%.f%#z"
# ISO 8601 has no other years without an agreement, and few readers have.
_FIRST_TIME: Final = datetime(1, 1, 1, tzinfo=UTC)
_LAST_TIME: Final = datetime.max.replace(tzinfo=UTC)
_WITHOUT_SECONDS: Final = "%Y-%m-%dT%H:%M%#z"

# An object lies under the hour in which it was received, by the platform's clock. A line that says
# otherwise by more than this is not believed; the hour stands in for what it says.
RECEIVED_REACH: Final = timedelta(days=1)


@dataclass(frozen=True)
class RawObject:
    """One raw object as read.

    Attributes:
        key: where it lies in the lake.
        lines: how many events it has, and lines that are none; blank ones are left out. A received
            line may hold several events.
        texts: the readable lines; canonical fields as text, `raw_object` and `raw_row` beside them.
        unreadable_rows: line numbers (from 0) that hold no JSON object.
        content: the bytes, from which a rejected line is quoted.
        is_unreadable: whether it is no raw object at all; then it counts as one rejected line.
        refused: the received lines that are no events.
        translated_bytes: the size of the events that received lines became.
    """

    key: str
    lines: int
    texts: pl.DataFrame
    unreadable_rows: list[int]
    content: bytes
    is_unreadable: bool = False
    refused: list[RefusedLine] = field(default_factory=list)
    translated_bytes: int = 0

    @property
    def size(self) -> int:
        """How many bytes it holds in memory, about."""
        return len(self.content) + self.translated_bytes

    @property
    def events(self) -> pl.DataFrame:
        """The readable lines with their types; see `typed_events`."""
        return typed_events([self.texts])

    @cached_property
    def physical_lines(self) -> list[bytes]:
        """The bytes of each line, blank ones included; cut only when a line has to be quoted."""
        if self.is_unreadable:
            return [self.content]
        return self.content.split(b"\n")


def parse_raw_object(
    key: str, content: bytes, mapping: EventMapping = DEFAULT_MAPPING
) -> RawObject:
    """Read one raw object.

    Args:
        key: its key; the hour in it stands in for a missing `received_at`.
        content: NDJSON, UTF-8; the records of a file of Firehose may follow one another directly.
        mapping: what the names of events in received lines mean.
    """
    content = lines_of_object(key, content)
    is_bare = keys.is_firehose(key) and holds_foreign_records(content)
    if not is_bare and not holds_received_lines(content):
        texts, rows, unreadable = _read_events(key, content)
        return RawObject(key, len(rows) + len(unreadable), texts, unreadable, content)
    translated = translate_lines(key, content, mapping, is_bare=is_bare)
    texts, rows, unreadable = _read_events(key, translated.ndjson)
    came_from = translated.rows
    return RawObject(
        key,
        len(rows) + len(unreadable) + len(translated.refused),
        texts.with_columns(pl.Series(c.RAW_ROW, [came_from[row] for row in rows], dtype=pl.Int64)),
        [came_from[row] for row in unreadable],
        content,
        refused=translated.refused,
        translated_bytes=len(translated.ndjson),
    )


def lines_of_object(key: str, content: bytes) -> bytes:
    """Return the content of an object with each of its records on a line."""
    return one_record_a_line(content) if keys.is_firehose(key) else content


def unreadable_object(key: str, content: bytes) -> RawObject:
    """Return what stands for an object that is not what a writer of this platform writes.

    Args:
        key: its key.
        content: its first bytes, for the quarantine.
    """
    texts = pl.DataFrame(schema={**_TEXT_SCHEMA, c.RAW_OBJECT: pl.String, c.RAW_ROW: pl.Int64})
    return RawObject(key, 1, texts, [0], content, is_unreadable=True)


def typed_events(texts: list[pl.DataFrame]) -> pl.DataFrame:
    """Give each field its type, and name the first field whose text is not of its kind.

    All objects of a batch at once: on a small frame a column costs as much as on a large one.

    Args:
        texts: the `texts` of raw objects; at least one.

    Returns:
        The canonical fields typed, `raw_object`, `raw_row` and `malformed_field` beside them.
    """
    # An empty text says nothing: a sender without a session writes "" as often as nothing at all.
    together = pl.concat(texts).with_columns(
        pl.when(pl.col(NAMES) != "").then(pl.col(NAMES)).name.keep()
    )
    parsed = together.with_columns(_parsed(together, name) for name in FIELDS)
    malformed = [
        pl.when(together[name].is_not_null() & parsed[name].is_null()).then(pl.lit(name))
        for name in FIELDS
    ]
    # A malformed time of reception rejects the row; the hour of its object is known all the same.
    hours = {key: keys.hour_of(key) for key in together[c.RAW_OBJECT].unique()}
    hour = pl.col(c.RAW_OBJECT).replace_strict(
        hours, default=None, return_dtype=pl.Datetime("us", "UTC")
    )
    received = pl.col(c.RECEIVED_AT)
    is_near = received.is_between(hour - RECEIVED_REACH, hour + RECEIVED_REACH)
    return parsed.with_columns(
        pl.coalesce(malformed).alias(MALFORMED_FIELD),
        pl.when(is_near).then(received).otherwise(hour).alias(c.RECEIVED_AT),
    )


def _read_events(key: str, content: bytes) -> tuple[pl.DataFrame, range | list[int], list[int]]:
    """Return canonical events as text with their origin, their rows, and the unreadable lines."""
    texts, rows, unreadable = _parse_lines(content)
    hour = keys.hour_of(key).strftime(_ZULU_SECONDS)
    texts = exact_texts(texts, rows, content).with_columns(
        pl.col(c.RECEIVED_AT).fill_null(pl.lit(hour)),
        pl.lit(key).alias(c.RAW_OBJECT),
        pl.Series(c.RAW_ROW, rows, dtype=pl.Int64),
    )
    return texts, rows, unreadable


def _parse_lines(content: bytes) -> tuple[pl.DataFrame, range | list[int], list[int]]:
    """Return the fields as text, the line number of each row, and the unreadable lines."""
    lines = content.count(b"\n") + (not content.endswith(b"\n")) if content else 0
    if lines == 0:
        return pl.DataFrame(schema=_TEXT_SCHEMA), [], []
    try:
        frame = pl.read_ndjson(io.BytesIO(content), schema=_TEXT_SCHEMA)
    except pl.exceptions.PolarsError:
        frame = None
    if frame is not None and frame.height == lines:
        return frame, range(lines), []
    return _parse_line_by_line(content)


def _parse_line_by_line(content: bytes) -> tuple[pl.DataFrame, list[int], list[int]]:
    """Single out what is not a JSON object, and read the rest."""
    readable: list[tuple[int, bytes]] = []
    unreadable: list[int] = []
    for row, line in enumerate(content.split(b"\n")):
        if not line.strip():
            continue
        try:
            is_object = isinstance(orjson.loads(line), dict)
        except orjson.JSONDecodeError:
            is_object = False
        if is_object:
            readable.append((row, line))
        else:
            unreadable.append(row)
    frames: list[pl.DataFrame] = []
    rows: list[int] = []
    _read_halves(readable, frames, rows, unreadable)
    empty = pl.DataFrame(schema=_TEXT_SCHEMA)
    return pl.concat([empty, *frames]), rows, sorted(unreadable)


def _read_halves(
    lines: list[tuple[int, bytes]],
    frames: list[pl.DataFrame],
    rows: list[int],
    unreadable: list[int],
) -> None:
    """Read lines, cutting in half what Polars refuses, though it is JSON, until one is left."""
    if not lines:
        return
    try:
        content = io.BytesIO(b"\n".join(line for _, line in lines))
        frame = pl.read_ndjson(content, schema=_TEXT_SCHEMA)
    except pl.exceptions.PolarsError:
        frame = None
    if frame is not None and frame.height == len(lines):
        frames.append(frame)
        rows.extend(row for row, _ in lines)
    elif len(lines) == 1:
        row, line = lines[0]
        # An integer of more than 128 bits: as text it can be read.
        rewritten = rewritten_line(line)
        if rewritten != line:
            _read_halves([(row, rewritten)], frames, rows, unreadable)
        else:
            unreadable.append(row)
    else:
        middle = len(lines) // 2
        _read_halves(lines[:middle], frames, rows, unreadable)
        _read_halves(lines[middle:], frames, rows, unreadable)


def _parsed(texts: pl.DataFrame, name: str) -> pl.Series:
    text = texts[name]
    match FIELDS[name].kind:
        case FieldKind.TIMESTAMP:
            return _timestamps(text)
        case FieldKind.DOUBLE:
            number = text.cast(pl.Float64, strict=False)
            return number.set(~number.is_finite().fill_null(value=False), None)
        case FieldKind.INTEGER:
            number = text.cast(pl.Float64, strict=False)
            is_whole = (number.is_finite() & (number == number.round())).fill_null(value=False)
            return number.set(~is_whole, None).cast(pl.Int64, strict=False)
        case FieldKind.JSON:
            is_object = text.str.contains(r'^\{("|\})')
            return text.set(~is_object.fill_null(value=False), None)
        case FieldKind.STRING:
            return text.set(text.str.contains(NO_NAME, literal=True).fill_null(value=False), None)


def _timestamps(text: pl.Series) -> pl.Series:
    parsed = text.str.to_datetime(_ZULU, time_unit="us", strict=False).dt.replace_time_zone("UTC")
    for form in (_WITH_OFFSET, _WITHOUT_SECONDS):
        missing = parsed.is_null() & text.is_not_null()
        if not missing.any():
            break
        other = text.str.to_datetime(form, time_unit="us", strict=False).dt.convert_time_zone("UTC")
        parsed = parsed.zip_with(~missing, other)
    return parsed.set(~parsed.is_between(_FIRST_TIME, _LAST_TIME).fill_null(value=True), None)
