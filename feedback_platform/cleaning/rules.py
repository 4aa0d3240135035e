"""The cleaning rules, defined once over narwhals expressions, for any engine that narwhals speaks.

Every decision is a flag on the row with the rule and the bound that made it. Each output value is a
function of the row and of the reference alone.
"""

from __future__ import annotations

import math
from typing import Any, Final

import narwhals as nw
import polars as pl

from feedback_platform.cleaning.configuration import (
    ALL_DEVICE_CATEGORIES,
    DEVICE_CATEGORIES,
    DEVICE_OTHER,
    DEVICE_UNKNOWN,
    SignalRules,
)
from feedback_platform.cleaning.reference import Reference, SignalStatistics
from feedback_platform.events import columns as c

SIGNAL: Final = "signal"
DEVICE_CATEGORY: Final = "device_category"
CLEANED_VALUE: Final = "cleaned_value"
NORMALISED_VALUE: Final = "normalised_value"
IS_IMPUTED: Final = "is_imputed"
IMPUTATION_RULE: Final = "imputation_rule"
IS_OUTLIER: Final = "is_outlier"
OUTLIER_RULE: Final = "outlier_rule"
OUTLIER_BOUND: Final = "outlier_bound"
NORMALISATION_RULE: Final = "normalisation_rule"
CLOCK_OFFSET: Final = "clock_offset_seconds"
REFERENCE_VERSION: Final = "reference_version"

# The logistic curve with this slope stays within 0.01 of the normal distribution function
# (Bowling et al., 2009, "A logistic approximation to the cumulative normal distribution").
LOGISTIC_SLOPE: Final = 1.702

_RULE_SCHEMA: Final = {
    c.EVENT_TYPE: pl.String,
    DEVICE_CATEGORY: pl.String,
    SIGNAL: pl.String,
    "is_log": pl.Boolean,
    "impute_value": pl.Float64,
    IMPUTATION_RULE: pl.String,
    "lower_bound": pl.Float64,
    "upper_bound": pl.Float64,
    OUTLIER_RULE: pl.String,
    NORMALISATION_RULE: pl.String,
    "origin": pl.Float64,
    "width": pl.Float64,
}


def rule_table(rules: tuple[SignalRules, ...], reference: Reference) -> pl.DataFrame:
    """Work the rules out into numbers: one row per event type and device category.

    Bounds and imputed values are in the signal's own unit; `origin` and `width` are on its scale.
    """
    statistics = {(entry.signal, entry.device): entry for entry in reference.statistics}
    rows = [
        _rule_row(rule, device, statistics.get((rule.signal, device)))
        for rule in rules
        for device in ALL_DEVICE_CATEGORIES
    ]
    return pl.DataFrame(rows, schema=_RULE_SCHEMA, orient="row")


def apply_rules(
    events: nw.LazyFrame[Any], table: nw.LazyFrame[Any], *, reference_version: str
) -> nw.LazyFrame[Any]:
    """Clean valid events: correct clocks, impute, flag outliers, normalise, encode.

    Args:
        events: the canonical columns; rows that the contract refuses are gone.
        table: `rule_table` on the same engine as the events.
        reference_version: written on every row.
    """
    return (
        _with_corrected_clock(events)
        .with_columns(_device_category().alias(DEVICE_CATEGORY))
        .join(table, on=[c.EVENT_TYPE, DEVICE_CATEGORY], how="left")
        .with_columns(_is_imputed().alias(IS_IMPUTED), _is_outlier().alias(IS_OUTLIER))
        .with_columns(
            nw.coalesce(nw.col(c.VALUE), nw.col("impute_value")).alias(CLEANED_VALUE),
            nw.when(nw.col(IS_IMPUTED)).then(nw.col(IMPUTATION_RULE)).alias(IMPUTATION_RULE),
            nw.when(nw.col(IS_OUTLIER)).then(nw.col(OUTLIER_RULE)).alias(OUTLIER_RULE),
            nw.when(nw.col(IS_OUTLIER)).then(_fired_bound()).alias(OUTLIER_BOUND),
        )
        .with_columns(
            _normalised().alias(NORMALISED_VALUE),
            nw.lit(reference_version).alias(REFERENCE_VERSION),
        )
        .drop("is_log", "impute_value", "lower_bound", "upper_bound", "origin", "width")
    )


def _rule_row(
    rule: SignalRules, device: str, statistics: SignalStatistics | None
) -> tuple[str | float | bool | None, ...]:
    impute_value, imputation = _imputation(rule, statistics)
    lower, upper, outlier = _outlier_bounds(rule, statistics)
    origin, width, normalisation = _normalisation(rule, statistics)
    return (
        rule.event_type,
        device,
        rule.signal,
        rule.scale == "log",
        impute_value,
        imputation,
        lower,
        upper,
        outlier,
        normalisation,
        origin,
        width,
    )


def _imputation(
    rule: SignalRules, statistics: SignalStatistics | None
) -> tuple[float | None, str | None]:
    if isinstance(rule.impute, float):
        return rule.impute, "constant"
    if rule.impute == "none" or statistics is None:
        return None, None
    scaled = statistics.median if rule.impute == "median" else statistics.mode
    return _unscaled(rule, scaled), rule.impute


def _outlier_bounds(
    rule: SignalRules, statistics: SignalStatistics | None
) -> tuple[float | None, float | None, str | None]:
    if rule.outlier_method == "none" or statistics is None:
        return None, None, None
    if rule.outlier_method == "iqr":
        reach = rule.outlier_limit * (statistics.upper_quartile - statistics.lower_quartile)
        lower, upper = statistics.lower_quartile - reach, statistics.upper_quartile + reach
    else:
        reach = rule.outlier_limit * statistics.deviation
        lower, upper = statistics.mean - reach, statistics.mean + reach
    return _unscaled(rule, lower), _unscaled(rule, upper), rule.outlier_method


def _normalisation(
    rule: SignalRules, statistics: SignalStatistics | None
) -> tuple[float | None, float | None, str | None]:
    if rule.normalisation == "none":
        return None, None, None
    if rule.normalisation == "min_max" and rule.minimum is not None and rule.maximum is not None:
        low, high = _scaled(rule, rule.minimum), _scaled(rule, rule.maximum)
        return low, high - low, "min_max"
    if statistics is None:
        return None, None, None
    if rule.normalisation == "min_max":
        return statistics.low, statistics.high - statistics.low, "min_max"
    return statistics.mean, statistics.deviation, "z_score"


def _scaled(rule: SignalRules, value: float) -> float:
    return math.log1p(value) if rule.scale == "log" else value


def _unscaled(rule: SignalRules, value: float) -> float:
    return math.expm1(value) if rule.scale == "log" else value


def _with_corrected_clock(events: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Put the time of the event on the platform's clock.

    The sender's clock is off by received_at - sent_at, travel time included; the event is as old as
    sent_at - occurred_at says. Nothing happened after it was received, whatever a clock says.
    """
    received, sent, occurred = (nw.col(n) for n in (c.RECEIVED_AT, c.SENT_AT, c.OCCURRED_AT))
    corrected = nw.when(~sent.is_null()).then(received - (sent - occurred)).otherwise(occurred)
    corrected = nw.coalesce(corrected, received)
    offset = (received - sent).dt.total_microseconds() / 1_000_000.0
    return events.with_columns(
        nw.when(corrected > received).then(received).otherwise(corrected).alias(c.OCCURRED_AT),
        offset.alias(CLOCK_OFFSET),
    )


def _device_category() -> nw.Expr:
    name = nw.col(c.DEVICE_TYPE).str.to_lowercase()
    return (
        nw.when(name.is_null())
        .then(nw.lit(DEVICE_UNKNOWN))
        .when(name.is_in(list(DEVICE_CATEGORIES)))
        .then(name)
        .otherwise(nw.lit(DEVICE_OTHER))
    )


def _is_imputed() -> nw.Expr:
    return nw.col(c.VALUE).is_null() & ~nw.col("impute_value").is_null()


def _is_outlier() -> nw.Expr:
    value = nw.col(c.VALUE)
    outside = (value < nw.col("lower_bound")) | (value > nw.col("upper_bound"))
    return nw.coalesce(outside, nw.lit(value=False))


def _fired_bound() -> nw.Expr:
    is_below = nw.col(c.VALUE) < nw.col("lower_bound")
    return nw.when(is_below).then(nw.col("lower_bound")).otherwise(nw.col("upper_bound"))


def _normalised() -> nw.Expr:
    """Return the value on [0, 1]; null where the signal has no value."""
    value = nw.col(CLEANED_VALUE)
    x = nw.when(nw.col("is_log")).then((value + 1.0).log()).otherwise(value)
    is_flat = nw.col("width") == 0
    share = nw.when(is_flat).then(nw.lit(0.5)).otherwise((x - nw.col("origin")) / nw.col("width"))
    bell = nw.lit(1.0) / ((share * -LOGISTIC_SLOPE).exp() + 1.0)
    bell = nw.when(is_flat).then(nw.lit(0.5)).otherwise(bell)
    rule = nw.col(NORMALISATION_RULE)
    return (
        nw.when((rule == "min_max") & ~value.is_null())
        .then(share.clip(0.0, 1.0))
        .when((rule == "z_score") & ~value.is_null())
        .then(bell)
    )
