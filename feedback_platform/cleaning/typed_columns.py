"""From columns of text to typed ones; a text that is not of its kind becomes a null with a name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

from feedback_platform.cleaning.exact_texts import NAMES, NO_NAME
from feedback_platform.cleaning.validation import MALFORMED_FIELD
from feedback_platform.events import columns as c
from feedback_platform.events.contract import FIELDS, FieldKind
from feedback_platform.lake import keys

# An object lies under the hour in which it was received, by the platform's clock. A line that says
# otherwise by more than this is not believed; the hour stands in for what it says.
RECEIVED_REACH: Final = timedelta(days=1)

_TIMES: Final = [name for name, field in FIELDS.items() if field.kind is FieldKind.TIMESTAMP]
_ZULU: Final = "%Y-%m-%dT%H:%M:%S%.fZ"
_WITH_OFFSET: Final = "%Y-%m-%dT%H:%M:%S%.f%#z"
_WITHOUT_SECONDS: Final = "%Y-%m-%dT%H:%M%#z"
# ISO 8601 has no other years without an agreement, and few readers have.
_FIRST_TIME: Final = datetime(1, 1, 1, tzinfo=UTC)
_LAST_TIME: Final = datetime.max.replace(tzinfo=UTC)


def typed_events(texts: list[pl.DataFrame]) -> pl.DataFrame:
    """Give each field its type, and name the first field whose text is not of its kind.

    All objects of a batch at once: on a small frame a column costs as much as on a large one.

    Args:
        texts: the `texts` of raw objects; at least one.

    Returns:
        The canonical fields typed, `raw_object`, `raw_row` and `malformed_field` beside them.
    """
    # An empty text says nothing: a sender without a session writes "" as often as nothing at all.
    together = pl.concat(texts, rechunk=True).with_columns(
        pl.when(pl.col(NAMES) != "").then(pl.col(NAMES)).name.keep()
    )
    parsed = together.with_columns(_parsed(name) for name in FIELDS)
    parsed = parsed.with_columns(_whole_times(together[name], parsed[name]) for name in _TIMES)
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


def _parsed(name: str) -> pl.Expr:
    text = pl.col(name)
    match FIELDS[name].kind:
        case FieldKind.TIMESTAMP:
            return _time(text, _ZULU, is_utc=True)
        case FieldKind.DOUBLE:
            number = text.cast(pl.Float64, strict=False)
            return pl.when(number.is_finite()).then(number)
        case FieldKind.INTEGER:
            number = text.cast(pl.Float64, strict=False)
            is_whole = number.is_finite() & (number == number.round())
            return pl.when(is_whole).then(number).cast(pl.Int64, strict=False)
        case FieldKind.JSON:
            return pl.when(text.str.contains(r'^\{("|\})')).then(text)
        case FieldKind.STRING:
            return pl.when(~text.str.contains(NO_NAME, literal=True)).then(text)


def _time(text: pl.Expr, form: str, *, is_utc: bool = False) -> pl.Expr:
    time = text.str.to_datetime(form, time_unit="us", strict=False)
    return time.dt.replace_time_zone("UTC") if is_utc else time.dt.convert_time_zone("UTC")


def _whole_times(texts: pl.Series, times: pl.Series) -> pl.Series:
    """Parse the times that are not in the usual form, and leave out those of no usual year."""
    for form in (_WITH_OFFSET, _WITHOUT_SECONDS):
        missing = (times.is_null() & texts.is_not_null()).arg_true()
        if missing.is_empty():
            break
        others = texts.gather(missing).to_frame().select(_time(pl.first(), form)).to_series()
        times = times.scatter(missing, others)
    return times.set(~times.is_between(_FIRST_TIME, _LAST_TIME).fill_null(value=True), None)
