"""Satisfaction: what users say, whether they come back, whether they buy."""

from __future__ import annotations

from typing import Final

import polars as pl

from feedback_platform.dashboard import tables
from feedback_platform.dashboard.choice import Bucket, Choice
from feedback_platform.dashboard.data.intervals import QUANTILE, SUMS, wilson_of, with_rate
from feedback_platform.dashboard.data.span import label_of, segment_names
from feedback_platform.dashboard.snapshot import Snapshot

# The mart has a day's score and interval. Of several days, promoters and detractors are needed:
# their difference is score · n, and their sum follows from the variance that the interval was made
# of, with one more of each (dbt's `satisfaction_daily` says why). An interval may be cut off at
# ±100 on one side; the other side tells its reach.
_NPS: Final = f"""
    with days as (
        select
            date_trunc($bucket, day)::date as day,
            responses,
            responses + 2 as answers,
            round(nps / 100 * responses) as balance,
            balance / answers as middle,
            greatest(middle - nps_low / 100, nps_high / 100 - middle) / {QUANTILE} as deviation,
            round((deviation ** 2 * answers + middle ** 2) * answers) - 2 as decided
        from metrics.satisfaction_daily
        where day between $first and $last and responses > 0
    ),
    counted as (
        select
            day,
            sum(responses)::bigint as responses,
            sum(balance) / sum(responses) as score,
            sum(balance) / (sum(responses) + 2) as middle,
            (sum(decided) + 2) / (sum(responses) + 2) as spread
        from days group by day
    )
    select
        day,
        responses,
        100 * score as nps,
        100 * greatest(middle - {QUANTILE} * deviation, -1) as low,
        100 * least(middle + {QUANTILE} * deviation, 1) as high
    from (
        select *, sqrt(greatest(spread - middle ** 2, 0) / (responses + 2)) as deviation
        from counted
    )
    order by day
"""


def answers_bucket(choice: Choice) -> Bucket:
    """Return what a point stands for; surveys are answered seldom, and a day says little."""
    bucket = choice.period.bucket
    return "week" if bucket == "day" and choice.period.days > 14 else bucket  # noqa: PLR2004


def nps(snapshot: Snapshot, choice: Choice) -> pl.DataFrame:
    """Return day, responses, nps, low, high (points, at most 100) by bucket of the period."""
    parameters = {**choice.days, "bucket": answers_bucket(choice)}
    return snapshot.rows(tables.SATISFACTION, _NPS, parameters)


def nps_total(snapshot: Snapshot, choice: Choice) -> pl.DataFrame:
    """Return the columns of `nps` for the whole period, no row where nobody answered."""
    return snapshot.rows(
        tables.SATISFACTION,
        _NPS.replace("date_trunc($bucket, day)::date", "$last::date"),
        choice.days,
    )


def ratings(snapshot: Snapshot, choice: Choice) -> pl.DataFrame:
    """Return day, ratings, average_rating (stars) by bucket of the period."""
    sql = """
        select
            date_trunc($bucket, day)::date as day,
            sum(ratings)::bigint as ratings,
            sum(ratings * average_rating) / sum(ratings) as average_rating
        from metrics.satisfaction_daily
        where day between $first and $last and ratings > 0
        group by 1 order by 1
    """
    parameters = {**choice.days, "bucket": choice.period.bucket}
    return snapshot.rows(tables.SATISFACTION, sql, parameters)


def ratings_total(snapshot: Snapshot, choice: Choice) -> pl.DataFrame:
    """Return one row: ratings, average_rating of the whole period."""
    sql = """
        select
            coalesce(sum(ratings), 0)::bigint as ratings,
            sum(ratings * average_rating) / nullif(sum(ratings), 0) as average_rating
        from metrics.satisfaction_daily
        where day between $first and $last
    """
    return snapshot.rows(tables.SATISFACTION, sql, choice.days)


def csat(snapshot: Snapshot, choice: Choice) -> pl.DataFrame:
    """Return day, responses, csat, low, high (shares) by bucket of the period."""
    sql = """
        select
            date_trunc($bucket, day)::date as day,
            sum(csat_responses)::bigint as responses,
            round(sum(csat * csat_responses))::bigint as satisfied
        from metrics.satisfaction_daily
        where day between $first and $last and csat_responses > 0
        group by 1 order by 1
    """
    parameters = {**choice.days, "bucket": answers_bucket(choice)}
    rows = snapshot.rows(tables.CSAT, sql, parameters)
    return wilson_of(rows, "csat", top="satisfied", base="responses")


def retention(snapshot: Snapshot, choice: Choice) -> pl.DataFrame:
    """Return cohort_week, week, users, returned, retention of weeks with a day in the period."""
    sql = """
        select cohort_week::date as cohort_week, week::int as week, users, returned, retention
        from metrics.retention_weekly
        where cohort_week between $first - interval 6 days and $last
        order by cohort_week, week
    """
    return snapshot.rows(tables.RETENTION, sql, choice.days)


def retention_by_week(snapshot: Snapshot, choice: Choice) -> pl.DataFrame:
    """Return week, users, returned, retention, low, high over all cohorts of the period."""
    sql = """
        select
            week::int as week, sum(users)::bigint as users, sum(returned)::bigint as returned
        from metrics.retention_weekly
        where cohort_week between $first - interval 6 days and $last
        group by week order by week
    """
    rows = snapshot.rows(tables.RETENTION, sql, choice.days)
    return wilson_of(rows, "retention", top="returned", base="users")


_DAYS: Final = """
    with days as (
        select
            day,
            case $part when 'segment' then segment else 'all' end as part,
            sum(users) as base,
            sum(converted_users) as top,
            sum(conversions) as conversions,
            sum(revenue) as revenue
        from metrics.conversion_daily
        where
            day between $first and $last
            and (len($segments::varchar[]) = 0 or list_contains($segments::varchar[], segment))
        group by 1, 2
    )
"""
_SOLD: Final = "sum(conversions)::bigint as conversions, sum(revenue)::double as revenue"


def conversion(snapshot: Snapshot, choice: Choice) -> pl.DataFrame:
    """Return day, users, converted, conversion, low, high, conversions, revenue by bucket.

    `users` counts a user once a day, so of several days it counts days of users.
    """
    sql = f"""
        {_DAYS}
        select date_trunc($bucket, day)::date as day, {SUMS}, {_SOLD}
        from days group by 1 order by 1
    """
    parameters = {**_parameters(choice, "all"), "bucket": choice.period.bucket}
    return _converted(snapshot.rows(tables.CONVERSION, sql, parameters))


def conversion_total(snapshot: Snapshot, choice: Choice) -> pl.DataFrame:
    """Return one row with the columns of `conversion` for the whole period."""
    sql = f"{_DAYS} select {SUMS}, {_SOLD} from days"
    return _converted(snapshot.rows(tables.CONVERSION, sql, _parameters(choice, "all")))


def conversion_by_segment(snapshot: Snapshot, choice: Choice) -> pl.DataFrame:
    """Return the columns of `conversion` by `segment`, with its `label`."""
    sql = f"""
        {_DAYS}
        select part as segment, {SUMS}, {_SOLD} from days group by part order by base desc, part
    """
    rows = _converted(snapshot.rows(tables.CONVERSION, sql, _parameters(choice, "segment")))
    names = segment_names(snapshot)
    labels = [names.get(each, label_of(each)) for each in rows["segment"]]
    return rows.insert_column(1, pl.Series("label", labels, pl.String()))


def _parameters(choice: Choice, part: str) -> dict[str, object]:
    return {**choice.days, "segments": list(choice.segments), "part": part}


def _converted(rows: pl.DataFrame) -> pl.DataFrame:
    named = {"base": "users", "top": "converted"}
    return with_rate(rows, "conversion", is_of_users=True).rename(named)
