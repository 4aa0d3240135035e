"""From columns of text to typed ones; a text that is not of its kind becomes a null with a name.

Most columns of most batches are as they should be, or empty. So each is asked first, and what has
to be done to a few rows is not done to all.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import numpy as np
import polars as pl

from feedback_platform.cleaning.exact_texts import NAMES, NO_NAME
from feedback_platform.cleaning.times import FIRST_TIME, TIME, parsed_times
from feedback_platform.cleaning.validation import MALFORMED_FIELD
from feedback_platform.events import columns as c
from feedback_platform.events.contract import FIELDS, FieldKind
from feedback_platform.lake import keys

# An object lies under the hour in which it was received, by the platform's clock. A line that says
# otherwise by more than this is not believed; the hour stands in for what it says.
RECEIVED_REACH: Final = timedelta(days=1)

_TYPES: Final[dict[FieldKind, pl.DataType | type[pl.DataType]]] = {
    FieldKind.STRING: pl.String,
    FieldKind.TIMESTAMP: TIME,
    FieldKind.DOUBLE: pl.Float64,
    FieldKind.INTEGER: pl.Int64,
    FieldKind.JSON: pl.String,
}


def typed_events(texts: list[pl.DataFrame]) -> pl.DataFrame:
    """Give each field its type, and name the first field whose text is not of its kind.

    All objects of a batch at once: on a small frame a column costs as much as on a large one.

    Args:
        texts: the `texts` of raw objects, one of each; at least one.

    Returns:
        The canonical fields typed, `raw_object`, `raw_row` and `malformed_field` beside them.
    """
    said = _without_empty_names(pl.concat(texts, rechunk=True))
    typed = said.with_columns(_typed(said[name]) for name in FIELDS)
    lost = [name for name in FIELDS if typed[name].null_count() > said[name].null_count()]
    malformed = [
        pl.when(said[name].is_not_null() & typed[name].is_null()).then(pl.lit(name))
        for name in lost
    ]
    placed = typed.with_columns(
        pl.coalesce(*malformed, pl.lit(None, pl.String)).alias(MALFORMED_FIELD),
        _received_at(typed[c.RECEIVED_AT], _hours(texts)),
    )
    return _without_lost_times(placed)


def _without_empty_names(texts: pl.DataFrame) -> pl.DataFrame:
    """An empty text says nothing: a sender without a session writes "" as often as nothing."""
    has_empty = texts.select((pl.col(NAMES) == "").any()).row(0, named=True)
    some = [name for name in NAMES if has_empty[name]]
    return texts.with_columns(pl.when(pl.col(some) != "").then(pl.col(some)).name.keep())


def _typed(text: pl.Series) -> pl.Series:
    kind = FIELDS[text.name].kind
    if text.null_count() == len(text):
        return pl.repeat(None, len(text), dtype=_TYPES[kind], eager=True).alias(text.name)
    match kind:
        case FieldKind.TIMESTAMP:
            return parsed_times(text)
        case FieldKind.DOUBLE:
            number = text.cast(pl.Float64, strict=False)
            return _where(number.is_finite(), number)
        case FieldKind.INTEGER:
            number = text.cast(pl.Float64, strict=False)
            is_whole = number.is_finite() & (number == number.round())
            return _where(is_whole, number).cast(pl.Int64, strict=False)
        case FieldKind.JSON:
            return _where(text.str.contains(r'^\{("|\})'), text)
        case FieldKind.STRING:
            return _where(~text.str.contains(NO_NAME, literal=True), text)


def _where(is_kept: pl.Series, values: pl.Series) -> pl.Series:
    """Return the values with a null for each that is not kept."""
    return values if is_kept.all() else values.set(~is_kept.fill_null(value=True), None)


def _hours(texts: list[pl.DataFrame]) -> pl.Series:
    """Return for each event the hour of its object."""
    objects = [frame for frame in texts if frame.height]
    hours = pl.Series([keys.hour_of(frame[c.RAW_OBJECT][0]) for frame in objects], dtype=TIME)
    heights = [frame.height for frame in objects]
    return hours.gather(np.repeat(np.arange(len(objects)), heights))


def _received_at(received: pl.Series, hour: pl.Series) -> pl.Series:
    """Return when the events were received, as far as that is believed.

    A malformed time of reception rejects the row; the hour of its object is known all the same.
    """
    is_near = received.is_between(hour - RECEIVED_REACH, hour + RECEIVED_REACH)
    return received.zip_with(is_near.fill_null(value=False), hour)


def _without_lost_times(events: pl.DataFrame) -> pl.DataFrame:
    """Name the time of the event where the platform's clock puts it before the year 1.

    That is where a sender says that it sent an event thousands of years after it occurred.
    """
    age = pl.col(c.SENT_AT) - pl.col(c.OCCURRED_AT)
    is_lost = events.select(pl.col(c.RECEIVED_AT) - age < FIRST_TIME).to_series()
    if not is_lost.any():
        return events
    occurred = pl.when(is_lost).then(pl.lit(c.OCCURRED_AT))
    return events.with_columns(pl.coalesce(MALFORMED_FIELD, occurred).alias(MALFORMED_FIELD))
