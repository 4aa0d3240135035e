"""The cleaning rules, defined once over narwhals expressions, for any engine that narwhals speaks.

Every decision is a flag on the row with the rule and the bound that made it. Each output value is a
function of the row and of the reference alone.
"""

from __future__ import annotations

import math
from typing import Any, Final

import narwhals as nw
import polars as pl

from feedback_platform.cleaning.arithmetic import with_logarithm, with_normal_share
from feedback_platform.cleaning.bots import bot_rule
from feedback_platform.cleaning.configuration import (
    OTHER,
    UNKNOWN,
    CleaningRules,
    Encoding,
    SignalRules,
)
from feedback_platform.cleaning.reference import Reference, SignalStatistics
from feedback_platform.events import columns as c

SIGNAL: Final = "signal"
DEVICE_CATEGORY: Final = "device_category"
PLATFORM_CATEGORY: Final = "platform_category"
CLEANED_VALUE: Final = "cleaned_value"
NORMALISED_VALUE: Final = "normalised_value"
IS_IMPUTED: Final = "is_imputed"
IMPUTATION_RULE: Final = "imputation_rule"
IS_OUTLIER: Final = "is_outlier"
OUTLIER_RULE: Final = "outlier_rule"
OUTLIER_BOUND: Final = "outlier_bound"
OUTLIER_TREATMENT: Final = "outlier_treatment"
NORMALISATION_RULE: Final = "normalisation_rule"
CLOCK_OFFSET: Final = "clock_offset_seconds"
REFERENCE_VERSION: Final = "reference_version"
RULES_VERSION: Final = "rules_version"
IS_BOT: Final = "is_bot"
BOT_RULE: Final = "bot_rule"

# Where the category of an encoded field goes.
CATEGORIES: Final = {c.DEVICE_TYPE: DEVICE_CATEGORY, c.PLATFORM: PLATFORM_CATEGORY}

# Steps on the way to the normalised value.
_LOGARITHM: Final = "logarithm"
_SHARE: Final = "share"
_NORMAL_SHARE: Final = "normal_share"
# Times this, the median absolute deviation of a normal distribution is its standard deviation
# (Leys et al., 2013, "Detecting outliers: Do not use standard deviation around the mean, use
# absolute deviation around the median").
MEDIAN_DEVIATION_SCALE: Final = 1.4826

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
    OUTLIER_TREATMENT: pl.String,
    NORMALISATION_RULE: pl.String,
    "origin": pl.Float64,
    "width": pl.Float64,
}


def rule_table(rules: CleaningRules, reference: Reference) -> pl.DataFrame:
    """Work the rules out into numbers: one row per event type and device category.

    Bounds and imputed values are in the signal's own unit; `origin` and `width` are on its scale.
    """
    rows = [
        _rule_row(rule, device, reference.statistics_of(rule, device))
        for rule in rules.signals
        for device in rules.devices.names
    ]
    return pl.DataFrame(rows, schema=_RULE_SCHEMA, orient="row")


def apply_rules(
    events: nw.LazyFrame[Any],
    table: nw.LazyFrame[Any],
    *,
    rules: CleaningRules,
    reference_version: str,
) -> nw.LazyFrame[Any]:
    """Clean valid events: correct clocks, encode, impute, judge outliers, normalise, find bots.

    Args:
        events: the canonical columns; rows that the contract refuses are gone.
        table: `rule_table` on the same engine as the events.
        rules: those that the table was worked out from; their version is written on every row.
        reference_version: written on every row.

    Returns:
        The clean rows. `clock_offset_seconds` is a duration still: only engines can count one.
    """
    is_outlier = nw.col(IS_OUTLIER)
    return (
        _with_corrected_clock(events)
        .with_columns(
            *[_category(known).alias(CATEGORIES[known.field]) for known in rules.encodings],
            bot_rule(rules.bots).alias(BOT_RULE),
        )
        .join(table, on=[c.EVENT_TYPE, DEVICE_CATEGORY], how="left")
        .with_columns(
            _is_imputed().alias(IS_IMPUTED),
            _is_outlier().alias(IS_OUTLIER),
            (~nw.col(BOT_RULE).is_null()).alias(IS_BOT),
        )
        .with_columns(
            nw.when(nw.col(IS_IMPUTED)).then(nw.col(IMPUTATION_RULE)).alias(IMPUTATION_RULE),
            nw.when(is_outlier).then(nw.col(OUTLIER_RULE)).alias(OUTLIER_RULE),
            nw.when(is_outlier).then(_fired_bound()).alias(OUTLIER_BOUND),
            nw.when(is_outlier).then(nw.col(OUTLIER_TREATMENT)).alias(OUTLIER_TREATMENT),
        )
        .with_columns(_cleaned_value().alias(CLEANED_VALUE))
        .pipe(with_logarithm, of=CLEANED_VALUE, name=_LOGARITHM)
        .with_columns(_share().alias(_SHARE))
        .pipe(with_normal_share, of=_SHARE, name=_NORMAL_SHARE)
        .with_columns(
            _normalised().alias(NORMALISED_VALUE),
            nw.lit(reference_version).alias(REFERENCE_VERSION),
            nw.lit(rules.version).alias(RULES_VERSION),
        )
        .drop("is_log", "impute_value", "lower_bound", "upper_bound", "origin", "width")
        .drop(_LOGARITHM, _SHARE, _NORMAL_SHARE)
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
        rule.outlier_treatment if outlier else None,
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
    """Return the bounds and the method; none where the values that were fitted have no spread.

    Most of them are alike then, and the next value would be an outlier for differing by a hair.
    """
    if rule.outlier_method == "none" or statistics is None:
        return None, None, None
    match rule.outlier_method:
        case "iqr":
            lower, upper = statistics.lower_quartile, statistics.upper_quartile
            spread = upper - lower
        case "mad":
            lower = upper = statistics.median
            spread = MEDIAN_DEVIATION_SCALE * (statistics.median_deviation or 0.0)
        case _:
            lower = upper = statistics.mean
            spread = statistics.deviation
    reach = rule.outlier_limit * spread
    if not 0 < reach < math.inf:
        return None, None, None
    return _unscaled(rule, lower - reach), _unscaled(rule, upper + reach), rule.outlier_method


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
        origin, width = statistics.low, statistics.high - statistics.low
    else:
        origin, width = statistics.mean, statistics.deviation
    if not (math.isfinite(origin) and math.isfinite(width)):
        return None, None, None
    return origin, width, rule.normalisation


def _scaled(rule: SignalRules, value: float) -> float:
    return math.log1p(value) if rule.scale == "log" else value


def _unscaled(rule: SignalRules, value: float) -> float:
    if rule.scale != "log":
        return value
    try:
        return math.expm1(value)
    except OverflowError:
        return math.inf


def _with_corrected_clock(events: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Put the time of the event on the platform's clock.

    The sender's clock is off by received_at - sent_at, travel time included; the event is as old as
    sent_at - occurred_at says. Nothing happened after it was received, whatever a clock says.
    """
    received, sent, occurred = (nw.col(n) for n in (c.RECEIVED_AT, c.SENT_AT, c.OCCURRED_AT))
    corrected = nw.when(~sent.is_null()).then(received - (sent - occurred)).otherwise(occurred)
    corrected = nw.coalesce(corrected, received)
    return events.with_columns(
        nw.when(corrected > received).then(received).otherwise(corrected).alias(c.OCCURRED_AT),
        (received - sent).alias(CLOCK_OFFSET),
    )


def _category(encoding: Encoding) -> nw.Expr:
    name = nw.col(encoding.field).str.to_lowercase()
    known = [
        nw.when(name.is_in(list(words))).then(nw.lit(category))
        for category, words in encoding.categories
    ]
    other = nw.when(~name.is_null()).then(nw.lit(OTHER))
    return nw.coalesce(*known, other, nw.lit(UNKNOWN))


def _is_imputed() -> nw.Expr:
    return nw.col(c.VALUE).is_null() & ~nw.col("impute_value").is_null()


def _is_outlier() -> nw.Expr:
    value = nw.col(c.VALUE)
    outside = (value < nw.col("lower_bound")) | (value > nw.col("upper_bound"))
    return nw.coalesce(outside, nw.lit(value=False))


def _fired_bound() -> nw.Expr:
    is_below = nw.col(c.VALUE) < nw.col("lower_bound")
    return nw.when(is_below).then(nw.col("lower_bound")).otherwise(nw.col("upper_bound"))


def _cleaned_value() -> nw.Expr:
    is_capped = nw.coalesce(nw.col(OUTLIER_TREATMENT) == "cap", nw.lit(value=False))
    value = nw.when(is_capped).then(nw.col(OUTLIER_BOUND)).otherwise(nw.col(c.VALUE))
    return nw.coalesce(value, nw.col("impute_value"))


def _share() -> nw.Expr:
    """Return the way from the origin in widths: from low to high, or deviations from the mean."""
    x = nw.when(nw.col("is_log")).then(nw.col(_LOGARITHM)).otherwise(nw.col(CLEANED_VALUE))
    width = nw.col("width")
    return nw.when(width != 0).then((x - nw.col("origin")) / width)


def _normalised() -> nw.Expr:
    """Return the value on [0, 1]; null where the signal has no value.

    What lies beyond the bounds of min-max is 0 or 1, and where all values are alike (a width of 0)
    every value is in the middle.
    """
    rule, share = nw.col(NORMALISATION_RULE), nw.col(_SHARE)
    within = nw.when(share < 0).then(nw.lit(0.0)).when(share > 1).then(nw.lit(1.0)).otherwise(share)
    has_value = ~nw.col(CLEANED_VALUE).is_null()
    return (
        nw.when(has_value & (nw.col("width") == 0))
        .then(nw.lit(0.5))
        .when(rule == "min_max")
        .then(within)
        .when(rule == "z_score")
        .then(nw.col(_NORMAL_SHARE))
    )
