"""Rates and how sure they are, from sums: the intervals of trigger rules, a row at a time.

What one user does is alike, and so is what happens on one day. The marts know sums of days, not of
users, so of several days the day is the unit here: an interval then has in it that users differ and
that days do. Of a single day only rates over users have one.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from feedback_platform.adjustment.rules.intervals import EVERYTHING, Sample, interval_of, wilson

LEVEL: Final = 0.95
# Of the normal distribution, as the marts use it.
QUANTILE: Final = 1.959964
# A ratio of two sums over so few days says nothing of its own spread.
FEWEST_DAYS: Final = 5
# The sums of a rate over days; `top` and `base` stand for each day's numerator and denominator.
SUMS: Final = """
    count(*) filter (where base > 0) as days,
    coalesce(sum(base), 0)::bigint as base,
    coalesce(sum(top), 0)::bigint as top,
    coalesce(sum(top::double * top), 0) as top_squares,
    coalesce(sum(top::double * base), 0) as products,
    coalesce(sum(base::double * base), 0) as base_squares
"""
_OF_SUMS: Final = ("days", "base", "top", "top_squares", "products", "base_squares")


def with_rate(frame: pl.DataFrame, name: str, *, is_of_users: bool = False) -> pl.DataFrame:
    """Replace sums by the rate, and where it lies with 95 % confidence.

    Args:
        frame: with the columns of `SUMS`; `base` and `top` stay.
        name: of the rate; `low` and `high` come with it, null where nothing can be said.
        is_of_users: whether the base counts users, who are independent within one day.
    """
    rows = [_rate(dict(zip(_OF_SUMS, row, strict=True)), is_of_users=is_of_users)
            for row in frame.select(_OF_SUMS).iter_rows()]  # fmt: skip
    schema = {name: pl.Float64(), "low": pl.Float64(), "high": pl.Float64()}
    found = pl.DataFrame(rows, schema=schema, orient="row")
    kept = frame.drop("days", "top_squares", "products", "base_squares")
    return pl.concat([kept, found], how="horizontal")


def wilson_of(frame: pl.DataFrame, name: str, *, top: str, base: str) -> pl.DataFrame:
    """Add a share of independent observations with its 95 % interval, `low` and `high`."""
    shares = [
        (None, None, None) if not observed else _wilson(successes, observed)
        for successes, observed in frame.select(top, base).iter_rows()
    ]
    schema = {name: pl.Float64(), "low": pl.Float64(), "high": pl.Float64()}
    return frame.hstack(pl.DataFrame(shares, schema=schema, orient="row"))


def _wilson(top: float, base: float) -> tuple[float, float, float]:
    found = wilson(top / base, base, QUANTILE)
    return top / base, found.low, found.high


def _rate(
    sums: dict[str, float], *, is_of_users: bool
) -> tuple[float | None, float | None, float | None]:
    if not sums["base"]:
        return None, None, None
    rate = sums["top"] / sums["base"]
    if is_of_users and sums["days"] == 1:
        return _wilson(sums["top"], sums["base"])
    if sums["days"] < FEWEST_DAYS or not 0 <= rate <= 1:
        return rate, None, None
    sample = Sample(
        users=int(sums["days"]),
        count=int(sums["base"]),
        total=sums["top"],
        total_squares=sums["top_squares"],
        products=sums["products"],
        count_squares=sums["base_squares"],
    )
    found = interval_of(sample, LEVEL, is_proportion=True)
    return (rate, None, None) if found == EVERYTHING else (rate, found.low, found.high)
