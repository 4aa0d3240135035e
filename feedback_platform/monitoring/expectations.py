"""What the raw, clean and feedback layers promise, as suites over pandas frames.

Most bounds are facts: what breaks one must not be learned from. Those marked as warnings are
shares and times that are unusual, and may still be true.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Final

import pandas as pd

from feedback_platform.events import columns as c
from feedback_platform.events.contract import EVENT_TYPES
from feedback_platform.monitoring.validation import WARNING, Suite, SuiteResult, validate

# The columns that the suites look at; a frame may have more.
OBJECT_COLUMNS: Final = ("raw_object", "is_readable", "hours_outside")
SOURCE_COLUMNS: Final = ("source", "json_share")
VOLUME_COLUMNS: Final = ("hour", "events", "usual", "of_usual")
CLEAN_COLUMNS: Final = (
    c.EVENT_ID,
    c.EVENT_TYPE,
    c.USER_ID,
    c.ITEM_ID,
    c.OCCURRED_AT,
    c.RECEIVED_AT,
    c.VALUE,
    "device_category",
    "normalised_value",
    "is_imputed",
    "imputation_rule",
    "is_outlier",
    "outlier_rule",
    "is_bot",
    "bot_rule",
    "is_burst",
    "burst_rule",
    "clock_offset_seconds",
)
# Whoever is flagged is flagged by a rule.
_FLAGS: Final = {
    "is_imputed": "imputation_rule",
    "is_outlier": "outlier_rule",
    "is_bot": "bot_rule",
    "is_burst": "burst_rule",
}
FEEDBACK_COLUMNS: Final = (
    "feedback_id",
    "feedback_score",
    "confidence",
    "feedback_type",
    "timestamp",
    "is_known_user",
    "is_known_item",
)
SCORE_COLUMNS: Final = ("user_id", "item_id", "feedback_score", "confidence")
FEEDBACK_TYPES: Final = ("explicit", "implicit")

MAX_HOURS_AHEAD: Final = 24.0
# An upload takes a while, and clocks differ a little.
MAX_HOURS_OUTSIDE: Final = 0.25
MIN_JSON_SHARE: Final = 0.95
# A fifth of what the same hour usually brings, or five times as much.
OF_USUAL: Final = (0.2, 5.0)
MAX_IMPUTED_SHARE: Final = 0.25
MAX_OUTLIER_SHARE: Final = 0.1
MAX_UNKNOWN_DEVICE_SHARE: Final = 0.5
MAX_CLOCK_OFFSET_SECONDS: Final = 24 * 3600.0
EXPLICIT_SHARE: Final = (0.001, 0.9)
# Of fewer rows a share says little.
LEAST_ROWS_OF_A_SHARE: Final = 200

_HOURS_AHEAD: Final = "hours from received_at to occurred_at"
_IMPUTED: Final = "share imputed"
_OUTLIERS: Final = "share of outliers"
_UNKNOWN_DEVICES: Final = "share of unknown devices"
_EXPLICIT: Final = "share of explicit feedback"
_NEVER_NULL_IN_CLEAN: Final = (c.EVENT_ID, c.EVENT_TYPE, c.OCCURRED_AT, c.RECEIVED_AT)
_UNIT: Final = {"min_value": 0.0, "max_value": 1.0}


def validate_raw(
    objects: pd.DataFrame, sources: pd.DataFrame, volume: pd.DataFrame, docs: Path | None = None
) -> SuiteResult:
    """Check raw objects of a day; see `raw_sample` for the frames.

    Args:
        objects: `OBJECT_COLUMNS`, a row an object.
        sources: `SOURCE_COLUMNS`, a row a writer.
        volume: `VOLUME_COLUMNS`, a row an hour.
        docs: where Data Docs are written, if anywhere.
    """
    return validate(
        [
            Suite("raw objects", objects, OBJECT_COLUMNS, _object_suite),
            Suite("raw sources", sources, SOURCE_COLUMNS, _source_suite),
            Suite("raw volume", volume, VOLUME_COLUMNS, _volume_suite),
        ],
        docs,
    )


def validate_clean(frame: pd.DataFrame, docs: Path | None = None) -> SuiteResult:
    """Check cleaned events; see `CLEAN_COLUMNS` for what the frame needs."""
    columns: tuple[str, ...] = CLEAN_COLUMNS
    if set(columns) <= set(frame.columns):
        times = [pd.to_datetime(frame[name], utc=True) for name in (c.OCCURRED_AT, c.RECEIVED_AT)]
        derived = {
            _HOURS_AHEAD: (times[0] - times[1]).dt.total_seconds() / 3600,
            _IMPUTED: frame["is_imputed"].astype("float64"),
            _OUTLIERS: frame["is_outlier"].astype("float64"),
            _UNKNOWN_DEVICES: (frame["device_category"] == "unknown").astype("float64"),
        }
        frame = _with_floats(frame, c.VALUE, "normalised_value", "clock_offset_seconds")
        frame = frame.assign(**derived)
        columns += tuple(derived)
    expectations = partial(_clean_suite, has_shares=len(frame) >= LEAST_ROWS_OF_A_SHARE)
    return validate([Suite("clean events", frame, columns, expectations)], docs)


def validate_feedback(
    frame: pd.DataFrame, scores: pd.DataFrame, docs: Path | None = None
) -> SuiteResult:
    """Check `feedback.user_feedback` and `feedback.feedback_scores`.

    Args:
        frame: `FEEDBACK_COLUMNS`; whether user and item are in the tables of users and items.
        scores: `SCORE_COLUMNS`.
        docs: where Data Docs are written, if anywhere.
    """
    columns: tuple[str, ...] = FEEDBACK_COLUMNS
    if set(columns) <= set(frame.columns):
        frame = _with_floats(frame, "feedback_score", "confidence")
        frame = frame.assign(
            **{_EXPLICIT: (frame["feedback_type"] == FEEDBACK_TYPES[0]).astype("float64")}
        )
        columns += (_EXPLICIT,)
    return validate(
        [
            Suite(
                "feedback",
                frame,
                columns,
                partial(_feedback_suite, has_shares=len(frame) >= LEAST_ROWS_OF_A_SHARE),
            ),
            Suite("feedback scores", scores, SCORE_COLUMNS, _score_suite),
        ],
        docs,
    )


def _object_suite(gxe: Any, _column: Any) -> list[Any]:
    return [
        gxe.ExpectColumnValuesToBeInSet(column="is_readable", value_set=[True]),
        gxe.ExpectColumnValuesToBeBetween(
            column="hours_outside", max_value=MAX_HOURS_OUTSIDE, mostly=0.99, severity=WARNING
        ),
    ]


def _source_suite(gxe: Any, _column: Any) -> list[Any]:
    return [
        gxe.ExpectColumnValuesToBeBetween(
            column="json_share", min_value=MIN_JSON_SHARE, severity=WARNING
        )
    ]


def _volume_suite(gxe: Any, _column: Any) -> list[Any]:
    low, high = OF_USUAL
    return [
        gxe.ExpectColumnValuesToBeBetween(
            column="of_usual", min_value=low, max_value=high, severity=WARNING
        )
    ]


def _clean_suite(gxe: Any, column: Any, *, has_shares: bool) -> list[Any]:
    bounded = {
        name: kind.value
        for name, kind in EVENT_TYPES.items()
        if kind.value is not None and (kind.value.minimum, kind.value.maximum) != (None, None)
    }
    shares = (
        {
            _IMPUTED: MAX_IMPUTED_SHARE,
            _OUTLIERS: MAX_OUTLIER_SHARE,
            _UNKNOWN_DEVICES: MAX_UNKNOWN_DEVICE_SHARE,
        }
        if has_shares
        else {}
    )
    return [
        *[gxe.ExpectColumnValuesToNotBeNull(column=name) for name in _NEVER_NULL_IN_CLEAN],
        gxe.ExpectColumnValuesToBeUnique(column=c.EVENT_ID),
        gxe.ExpectColumnValuesToBeInSet(column=c.EVENT_TYPE, value_set=sorted(EVENT_TYPES)),
        gxe.ExpectColumnValuesToBeBetween(column="normalised_value", **_UNIT),
        *[
            gxe.ExpectColumnValuesToNotBeNull(
                column=rule,
                row_condition=column(flag) == True,  # noqa: E712 - builds a condition
            )
            for flag, rule in _FLAGS.items()
        ],
        *[
            gxe.ExpectColumnValuesToBeBetween(
                column=c.VALUE,
                min_value=bounds.minimum,
                max_value=bounds.maximum,
                row_condition=column(c.EVENT_TYPE) == name,
            )
            for name, bounds in bounded.items()
        ],
        *[
            gxe.ExpectColumnValuesToNotBeNull(
                column=name, row_condition=column(c.EVENT_TYPE) == kind.name
            )
            for kind in EVENT_TYPES.values()
            for name, is_needed in ((c.ITEM_ID, kind.needs_item), (c.USER_ID, kind.needs_user))
            if is_needed
        ],
        gxe.ExpectColumnValuesToBeBetween(
            column=_HOURS_AHEAD, max_value=MAX_HOURS_AHEAD, severity=WARNING
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="clock_offset_seconds",
            min_value=-MAX_CLOCK_OFFSET_SECONDS,
            max_value=MAX_CLOCK_OFFSET_SECONDS,
            mostly=0.99,
            severity=WARNING,
        ),
        *[
            gxe.ExpectColumnMeanToBeBetween(column=name, max_value=high, severity=WARNING)
            for name, high in shares.items()
        ],
    ]


def _feedback_suite(gxe: Any, _column: Any, *, has_shares: bool) -> list[Any]:
    low, high = EXPLICIT_SHARE
    explicit = gxe.ExpectColumnMeanToBeBetween(
        column=_EXPLICIT, min_value=low, max_value=high, severity=WARNING
    )
    return [
        *[gxe.ExpectColumnValuesToNotBeNull(column=name) for name in FEEDBACK_COLUMNS],
        gxe.ExpectColumnValuesToBeUnique(column="feedback_id"),
        gxe.ExpectColumnValuesToBeInSet(column="feedback_type", value_set=list(FEEDBACK_TYPES)),
        *[
            gxe.ExpectColumnValuesToBeBetween(column=name, **_UNIT)
            for name in ("feedback_score", "confidence")
        ],
        *[
            gxe.ExpectColumnValuesToBeInSet(column=name, value_set=[True])
            for name in ("is_known_user", "is_known_item")
        ],
        *([explicit] if has_shares else []),
    ]


def _score_suite(gxe: Any, _column: Any) -> list[Any]:
    return [
        *[gxe.ExpectColumnValuesToNotBeNull(column=name) for name in SCORE_COLUMNS],
        gxe.ExpectCompoundColumnsToBeUnique(column_list=["user_id", "item_id"]),
        *[
            gxe.ExpectColumnValuesToBeBetween(column=name, **_UNIT)
            for name in ("feedback_score", "confidence")
        ],
    ]


def _with_floats(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Make columns float: bounds compare with nothing else, and a column of nulls has no type."""
    return frame.astype(dict.fromkeys(columns, "float64"))
