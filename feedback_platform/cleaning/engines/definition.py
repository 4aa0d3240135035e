"""What becomes of events, defined once over narwhals for the columns of any engine."""

from __future__ import annotations

from typing import Any, Final

import narwhals as nw
import polars as pl

from feedback_platform.cleaning import validation as v
from feedback_platform.cleaning.configuration import CleaningRules
from feedback_platform.cleaning.rules import CLOCK_OFFSET, apply_rules
from feedback_platform.events import columns as c

# A line may hold several events, which only their ids tell apart.
CLEAN_ORDER: Final = (c.RECEIVED_AT, c.RAW_OBJECT, c.RAW_ROW, c.EVENT_ID)
_REFUSED: Final = (c.RAW_OBJECT, c.RAW_ROW, c.RECEIVED_AT, v.REASON, v.FIELD)


def refused_events(checked: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Return what the contract refuses of events that `with_rejections` has seen, and why."""
    return checked.filter(~nw.col(v.REASON).is_null()).select(*_REFUSED)


def clean_events(
    checked: nw.LazyFrame[Any],
    table: nw.LazyFrame[Any],
    *,
    rules: CleaningRules,
    reference_version: str,
) -> nw.LazyFrame[Any]:
    """Return what the rules make of the others, the first of those with the same id in an object.

    Args:
        checked: events that `with_rejections` has seen.
        table: `rule_table` on the same engine.
        rules: those that the table was worked out from.
        reference_version: of the statistics in the table.
    """
    valid = checked.filter(nw.col(v.REASON).is_null()).drop(v.REASON, v.FIELD, v.MALFORMED_FIELD)
    distinct = valid.unique(
        [c.RAW_OBJECT, c.EVENT_ID], keep="first", order_by=[c.RECEIVED_AT, c.RAW_ROW]
    )
    return apply_rules(distinct, table, rules=rules, reference_version=reference_version)


def finished(clean: pl.DataFrame) -> pl.DataFrame:
    """Return clean rows as they are stored, wherever they were computed."""
    seconds = pl.col(CLOCK_OFFSET).dt.total_microseconds() / 1_000_000.0
    return clean.with_columns(seconds).sort(CLEAN_ORDER)
