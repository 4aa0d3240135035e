"""What becomes of events, defined once over narwhals for the columns of any engine."""

from __future__ import annotations

from typing import Any, Final

import narwhals as nw
import polars as pl

from feedback_platform.cleaning import validation as v
from feedback_platform.cleaning.rules import CLOCK_OFFSET
from feedback_platform.events import columns as c

# A line may hold several events, which only their ids tell apart.
CLEAN_ORDER: Final = (c.RECEIVED_AT, c.RAW_OBJECT, c.RAW_ROW, c.EVENT_ID)
_REFUSED: Final = (c.RAW_OBJECT, c.RAW_ROW, c.RECEIVED_AT, v.REASON, v.FIELD)


def refused_events(checked: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Return what the contract refuses of events that `with_rejections` has seen, and why."""
    return checked.filter(~nw.col(v.REASON).is_null()).select(*_REFUSED)


def valid_events(checked: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Return the events that the contract accepts."""
    return checked.filter(nw.col(v.REASON).is_null()).drop(v.REASON, v.FIELD, v.MALFORMED_FIELD)


def distinct_events(valid: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Return the first of the rows that have the same id in the same object."""
    identity = [c.RAW_OBJECT, c.EVENT_ID]
    return valid.unique(identity, keep="first", order_by=[c.RECEIVED_AT, c.RAW_ROW])


def finished(clean: pl.DataFrame) -> pl.DataFrame:
    """Return clean rows as they are stored, wherever they were computed."""
    seconds = pl.col(CLOCK_OFFSET).dt.total_microseconds() / 1_000_000.0
    counted = clean.with_columns(seconds)
    order = counted.select(pl.arg_sort_by(CLEAN_ORDER).cast(pl.Int64)).to_series()
    # Rows of one writer mostly come in this order, and to put them there again takes its time.
    return counted if (order.diff().drop_nulls() == 1).all() else counted[order]
