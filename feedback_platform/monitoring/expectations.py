"""What the clean and feedback layers promise, as Great Expectations suites over pandas frames.

Great Expectations takes nine seconds to import: call these inside a check, never at definition
time. Nothing of it leaves the process: the context is ephemeral and sends no usage statistics.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pandas as pd

from feedback_platform.events import columns as c
from feedback_platform.events.contract import EVENT_TYPES

# The columns that the suites look at; a frame may have more.
CLEAN_COLUMNS: Final = (
    c.EVENT_ID,
    c.EVENT_TYPE,
    c.OCCURRED_AT,
    c.RECEIVED_AT,
    c.VALUE,
    "normalised_value",
    "is_imputed",
    "imputation_rule",
    "is_outlier",
    "outlier_rule",
    "is_bot",
    "bot_rule",
    "is_burst",
    "burst_rule",
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
)
FEEDBACK_TYPES: Final = ("explicit", "implicit")

MAX_HOURS_AHEAD: Final = 24.0
_HOURS_AHEAD: Final = "hours from received_at to occurred_at"
_EXAMPLES: Final = 3

# What a suite is made of: the expectations' namespace and the condition's column, both imported.
_Suite = Callable[[Any, Any], list[Any]]


@dataclass(frozen=True)
class SuiteResult:
    """What came of a suite.

    Attributes:
        success: whether every expectation held.
        evaluated: number of expectations.
        failed: a sentence for each that did not hold: which, on what, how often, for example.
    """

    success: bool
    evaluated: int
    failed: list[str] = field(default_factory=list)


def validate_clean(frame: pd.DataFrame) -> SuiteResult:
    """Check cleaned events; see `CLEAN_COLUMNS` for what the frame needs."""
    missing = _missing(frame, CLEAN_COLUMNS)
    if missing is not None:
        return missing
    times = [pd.to_datetime(frame[column], utc=True) for column in (c.OCCURRED_AT, c.RECEIVED_AT)]
    prepared = frame.loc[:, list(CLEAN_COLUMNS)].assign(
        **{_HOURS_AHEAD: (times[0] - times[1]).dt.total_seconds() / 3600}
    )
    return _validated(_with_floats(prepared, c.VALUE, "normalised_value"), "clean", _clean_suite)


def validate_feedback(frame: pd.DataFrame) -> SuiteResult:
    """Check `feedback.user_feedback`; see `FEEDBACK_COLUMNS` for what the frame needs."""
    missing = _missing(frame, FEEDBACK_COLUMNS)
    if missing is not None:
        return missing
    prepared = frame.loc[:, list(FEEDBACK_COLUMNS)]
    prepared = _with_floats(prepared, "feedback_score", "confidence")
    return _validated(prepared, "feedback", _feedback_suite)


def _clean_suite(gxe: Any, column: Any) -> list[Any]:
    bounded = {
        name: kind.value
        for name, kind in EVENT_TYPES.items()
        if kind.value is not None and (kind.value.minimum, kind.value.maximum) != (None, None)
    }
    return [
        *[gxe.ExpectColumnValuesToNotBeNull(column=name) for name in _NEVER_NULL_IN_CLEAN],
        gxe.ExpectColumnValuesToBeUnique(column=c.EVENT_ID),
        gxe.ExpectColumnValuesToBeInSet(column=c.EVENT_TYPE, value_set=sorted(EVENT_TYPES)),
        gxe.ExpectColumnValuesToBeBetween(column=_HOURS_AHEAD, max_value=MAX_HOURS_AHEAD),
        gxe.ExpectColumnValuesToBeBetween(column="normalised_value", min_value=0.0, max_value=1.0),
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
    ]


_NEVER_NULL_IN_CLEAN: Final = (c.EVENT_ID, c.EVENT_TYPE, c.OCCURRED_AT, c.RECEIVED_AT)


def _feedback_suite(gxe: Any, _column: Any) -> list[Any]:
    scores = ("feedback_score", "confidence")
    return [
        *[gxe.ExpectColumnValuesToNotBeNull(column=name) for name in FEEDBACK_COLUMNS],
        gxe.ExpectColumnValuesToBeUnique(column="feedback_id"),
        gxe.ExpectColumnValuesToBeInSet(column="feedback_type", value_set=list(FEEDBACK_TYPES)),
        *[
            gxe.ExpectColumnValuesToBeBetween(column=name, min_value=0.0, max_value=1.0)
            for name in scores
        ],
    ]


def _missing(frame: pd.DataFrame, columns: Sequence[str]) -> SuiteResult | None:
    missing = [name for name in columns if name not in frame.columns]
    if not missing:
        return None
    sentences = [
        f"expect_column_to_exist on {name}: the frame has no such column" for name in missing
    ]
    return SuiteResult(success=False, evaluated=len(columns), failed=sentences)


def _with_floats(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Make columns float: bounds compare with nothing else, and a column of nulls has no type."""
    return frame.astype(dict.fromkeys(columns, "float64"))


def _validated(frame: pd.DataFrame, name: str, suite: _Suite) -> SuiteResult:
    # Its own use of deprecated modules is not our callers' business.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations as gx  # noqa: PLC0415 - takes nine seconds
        import great_expectations.expectations as gxe  # noqa: PLC0415
        from great_expectations.data_context.types.base import (  # noqa: PLC0415
            ProgressBarsConfig,
        )
        from great_expectations.expectations.row_conditions import Column  # noqa: PLC0415

        context = gx.get_context(mode="ephemeral")
        context.enable_analytics(enable=False)
        context.variables.progress_bars = ProgressBarsConfig(
            globally=False, metric_calculations=False
        )
        batch = (
            context.data_sources.add_pandas("memory")
            .add_dataframe_asset(name)
            .add_batch_definition_whole_dataframe("whole")
            .get_batch({"dataframe": frame})
        )
        expectations = suite(gxe, Column)
        outcome = batch.validate(gx.ExpectationSuite(name=name, expectations=expectations))
    failed = sorted(_sentence(result) for result in outcome.results if not result.success)
    return SuiteResult(not failed, len(expectations), failed)


def _sentence(result: Any) -> str:
    """Say which expectation failed, on which column and rows, how often, and show examples."""
    config = result.expectation_config
    where = str(config.kwargs["column"])
    condition = config.kwargs.get("row_condition")
    if condition is not None:
        where = f"{where} where {condition['column']['name']} is {condition['parameter']}"
    said = f"{config.type} on {where}"
    details = result.result
    if "unexpected_count" not in details:
        return f"{said}: it could not be evaluated; {_problem(result.exception_info)}"
    said = f"{said}: {details['unexpected_count']} of {details['element_count']} rows"
    examples = list(dict.fromkeys(details.get("partial_unexpected_list") or []))
    if not examples or all(pd.isna(example) for example in examples):
        return said
    return f"{said}, such as {', '.join(repr(example) for example in examples[:_EXAMPLES])}"


def _problem(exception_info: dict[str, Any]) -> str:
    """Return the message in what Great Expectations says of an exception."""
    nested = [info for info in exception_info.values() if isinstance(info, dict)]
    message = (nested[0] if nested else exception_info).get("exception_message")
    return str(message).strip().partition("\n")[0]
