"""Which rows the contract refuses, and why: pure expressions over any engine's columns."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import narwhals as nw

from feedback_platform.events import columns as c
from feedback_platform.events.contract import (
    CERTAIN_PROPENSITY,
    EVENT_TYPES,
    FIRST_POSITION,
    IMPOSSIBLE_PROPENSITY,
    REQUIRED_FIELDS,
    TYPES_WITHOUT_USER,
)

# The first field whose text was not of its kind, found where the line was read.
MALFORMED_FIELD: Final = "malformed_field"

REASON: Final = "reason"
FIELD: Final = "field"

# The reasons under which an event is put aside.
UNREADABLE_OBJECT: Final = "unreadable_object"
MALFORMED_JSON: Final = "malformed_json"
INVALID_TYPE: Final = "invalid_type"
MISSING_FIELD: Final = "missing_field"
UNKNOWN_EVENT_TYPE: Final = "unknown_event_type"
MISSING_USER: Final = "missing_user"
OUT_OF_RANGE: Final = "out_of_range"
IN_THE_FUTURE: Final = "in_the_future"
# Of received lines; `events.rules` and the ways in have further ones of their own.
TOO_DEEP: Final = "too_deep"

# A sender without `sent_at` cannot be corrected; a clock that is wrong by more than this is refused
# rather than believed.
MAX_AHEAD: Final = timedelta(days=1)


def with_rejections(frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Add `reason` and `field`: null for a good row, else the first rule that it breaks."""
    verdicts = list(_verdicts())
    return frame.with_columns(
        nw.coalesce(
            *[nw.when(broken).then(nw.lit(reason)) for broken, reason, _ in verdicts]
        ).alias(REASON),
        nw.coalesce(*[nw.when(broken).then(field) for broken, _, field in verdicts]).alias(FIELD),
    )


def is_refused() -> nw.Expr:
    """Return whether `with_rejections` would give a row a reason; to name it costs four times that.

    Most rows have none.
    """
    broken = [condition for condition, _, _ in _verdicts()]
    return nw.any_horizontal(*broken, ignore_nulls=True)


def _verdicts() -> list[tuple[nw.Expr, str, nw.Expr]]:
    """Return (condition, reason, field) in the order in which they are tried."""
    event_type = nw.col(c.EVENT_TYPE)
    no_user = nw.col(c.USER_ID).is_null() & nw.col(c.ANONYMOUS_ID).is_null()
    is_corrected = ~nw.col(c.SENT_AT).is_null()
    ahead = nw.col(c.OCCURRED_AT) > nw.col(c.RECEIVED_AT) + MAX_AHEAD
    verdicts: list[tuple[nw.Expr, str, nw.Expr]] = [
        (~nw.col(MALFORMED_FIELD).is_null(), INVALID_TYPE, nw.col(MALFORMED_FIELD)),
        *[_missing(field) for field in REQUIRED_FIELDS],
        (~event_type.is_in(list(EVENT_TYPES)), UNKNOWN_EVENT_TYPE, nw.lit(c.EVENT_TYPE)),
        (no_user & ~event_type.is_in(list(TYPES_WITHOUT_USER)), MISSING_USER, nw.lit(c.USER_ID)),
    ]
    for field in (c.ITEM_ID, c.SESSION_ID, c.EXPERIMENT_ID, c.VARIANT, c.VALUE):
        needing = [name for name, kind in EVENT_TYPES.items() if field in kind.required_fields]
        verdicts.append(_missing(field, event_type.is_in(needing)))
    for name, kind in EVENT_TYPES.items():
        if kind.value is None:
            continue
        for bound, outside in (
            (kind.value.minimum, nw.col(c.VALUE) < nw.lit(kind.value.minimum)),
            (kind.value.maximum, nw.col(c.VALUE) > nw.lit(kind.value.maximum)),
        ):
            if bound is not None:
                broken = (event_type == nw.lit(name)) & outside
                verdicts.append((broken, OUT_OF_RANGE, nw.lit(c.VALUE)))
    propensity = nw.col(c.PROPENSITY)
    is_no_chance = (propensity <= IMPOSSIBLE_PROPENSITY) | (propensity > CERTAIN_PROPENSITY)
    verdicts.append((is_no_chance, OUT_OF_RANGE, nw.lit(c.PROPENSITY)))
    verdicts.append((nw.col(c.POSITION) < FIRST_POSITION, OUT_OF_RANGE, nw.lit(c.POSITION)))
    verdicts.append((ahead & ~is_corrected, IN_THE_FUTURE, nw.lit(c.OCCURRED_AT)))
    return verdicts


def _missing(field: str, condition: nw.Expr | None = None) -> tuple[nw.Expr, str, nw.Expr]:
    is_null = nw.col(field).is_null()
    return (is_null if condition is None else condition & is_null, MISSING_FIELD, nw.lit(field))
