"""What users did before a date beside what they did from it on, without a leak between the two.

A date (an anchor, midnight UTC) cuts time in two. What a user's signals say is taken from the days
before it, whether they come back and convert from the days behind it, and nothing is in both. Of
the same horizon the windows behind the anchors do not overlap either. A user who is seen at several
anchors is one user: their rows are a cluster (see `correlation`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import polars as pl

USER: Final = "user_id"
DAY: Final = "day"
NAME: Final = "name"
COUNT: Final = "count"
TOTAL: Final = "total"

VISIT: Final = "visit"
CONVERTED: Final = "converted"
NPS: Final = "nps"

# One row a user, day and name: `visit` (count: visits), `converted` (count: conversions), and each
# signal (count: pieces; total: the sum of what they say, from 0 to 1).
USER_DAYS: Final = pl.Schema(
    {
        USER: pl.String(),
        DAY: pl.Date(),
        NAME: pl.String(),
        COUNT: pl.Int64(),
        TOTAL: pl.Float64(),
    }
)

SIGNAL_DAYS: Final = 14
# More dates would take in what users were like long ago.
MOST_ANCHORS: Final = 4


def anchors(first_day: date, as_of: date, horizon_days: int) -> list[date]:
    """Return the dates to look at, the newest first; none where there is too little of time.

    Args:
        first_day: of which anything is known.
        as_of: the first day that is not over, or not all known.
        horizon_days: how far behind a date is looked at.
    """
    found = [as_of - timedelta(days=horizon_days * n) for n in range(1, MOST_ANCHORS + 1)]
    return [each for each in found if each - timedelta(days=SIGNAL_DAYS) >= first_day]


def before(days: pl.DataFrame, anchor: date) -> pl.DataFrame:
    """Return each user's signals in the `SIGNAL_DAYS` before a date: user_id, name, count, total.

    Only of users who came in that time; `visit` is among the names.
    """
    begin = anchor - timedelta(days=SIGNAL_DAYS)
    window = days.filter((pl.col(DAY) >= begin) & (pl.col(DAY) < anchor))
    came = window.filter(pl.col(NAME) == VISIT).select(USER).unique()
    return (
        window.filter(pl.col(NAME) != CONVERTED)
        .join(came, on=USER, how="semi")
        .group_by(USER, NAME)
        .agg(pl.col(COUNT).sum(), pl.col(TOTAL).sum())
    )


def after(days: pl.DataFrame, anchor: date, horizon_days: int) -> pl.DataFrame:
    """Return what users did from a date on: user_id, retention, conversion.

    `retention` is the share of the days on which they came, `conversion` 1 of those who converted
    and 0 of others. Only users who did either are there; of others both are 0.
    """
    end = anchor + timedelta(days=horizon_days)
    window = days.filter((pl.col(DAY) >= anchor) & (pl.col(DAY) < end))
    is_visit, is_conversion = (pl.col(NAME) == name for name in (VISIT, CONVERTED))
    return (
        window.filter(is_visit | is_conversion)
        .group_by(USER)
        .agg(
            retention=pl.col(DAY).filter(is_visit).n_unique() / horizon_days,
            conversion=is_conversion.any().cast(pl.Float64),
        )
    )


@dataclass(frozen=True)
class Windows:
    """What is known of a date: `before` of it, and `after` it."""

    anchor: date
    before: pl.DataFrame
    after: pl.DataFrame


def windows(days: pl.DataFrame, dates: Sequence[date], horizon_days: int) -> list[Windows]:
    """Cut time at each date; see `before` and `after`."""
    return [
        Windows(anchor, before(days, anchor), after(days, anchor, horizon_days)) for anchor in dates
    ]


def observations(cut: Sequence[Windows], signal: str, *, is_valued: bool) -> pl.DataFrame:
    """Return a row for each user and date at which a signal says something.

    A signal with a value (stars, dwell time, a survey's answer) says the mean of its pieces; it is
    of those who gave one. One that says all by being there (a like) says how many there are a
    visit; it is of everybody who came, and of most of them it is 0.

    Returns:
        user_id, anchor, figure, visits, retention, conversion.
    """
    parts = []
    for each in cut:
        visits = each.before.filter(pl.col(NAME) == VISIT).select(USER, visits=pl.col(COUNT))
        given = each.before.filter(pl.col(NAME) == signal).select(USER, COUNT, TOTAL)
        joined = visits.join(given, on=USER, how="inner" if is_valued else "left")
        figure = (
            pl.col(TOTAL) / pl.col(COUNT)
            if is_valued
            else pl.col(COUNT).fill_null(0) / pl.col("visits")
        )
        parts.append(
            joined.join(each.after, on=USER, how="left").select(
                USER,
                pl.lit(each.anchor).alias("anchor"),
                figure.cast(pl.Float64).alias("figure"),
                pl.col("visits").cast(pl.Float64),
                pl.col("retention").fill_null(0.0),
                pl.col("conversion").fill_null(0.0),
            )
        )
    return pl.concat(parts).sort("anchor", USER)
