"""What measuring reads of the published tables: signals by user and day, and what was shown.

Who switched off personalisation or research takes no part, of the past neither; who switched off a
signal does not where it is about that signal. Programs and bursts do not either.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

import duckdb
import polars as pl

from feedback_platform.taking_part import THOSE_TAKING_PART
from feedback_platform.warehouse.connection import single_row
from feedback_platform.warehouse.published import relation_frame

_REPORTED: Final = "('user_updated', 'user_aliased', 'item_updated', 'consent_changed')"
_SIGNAL_DAYS: Final = f"""
    with doings as materialized (
        select user_id, occurred_at::date as day, event_type, session_id, value, properties
        from interaction.interactions {THOSE_TAKING_PART}
        where
            user_id is not null
            and not (is_bot or is_burst)
            and occurred_at >= $1::timestamp
            and event_type not in {_REPORTED}
    ),

    given as (
        select user_id, "timestamp"::date as day, signal, feedback_score
        from feedback.user_feedback {THOSE_TAKING_PART}
        where
            confidence > 0
            and not is_imputed
            and not is_outlier
            and "timestamp" >= $1::timestamp
    )

    select user_id, day, 'visit' as name, count(distinct session_id) as count, 0.0 as total
    from doings group by user_id, day
    union all
    select user_id, day, 'converted', count(*), 0.0
    from doings where event_type = 'item_converted' group by user_id, day
    union all
    select user_id, day, 'nps', count(*), sum(value) / 10
    from doings
    where
        event_type = 'survey_answered' and properties ->> 'survey' = 'nps' and value is not null
    group by user_id, day
    union all
    -- Exact, in whatever order it is added up: users who said the same have the same rank.
    select user_id, day, signal, count(*), sum(feedback_score::decimal(18, 9))::double
    from given group by user_id, day, signal
    order by user_id, day, name
"""  # noqa: S608 - constants of our own
_SWITCHED_OFF: Final = """
    select user_id, unnest(signals_off) as signal
    from interaction.user_preferences
    order by all
"""

_SHOWN: Final = f"""
    select day, user_id, item_id, propensity
    from interaction.interactions {THOSE_TAKING_PART}
    where
        event_type = 'item_impression'
        and user_id is not null
        and item_id is not null
        and not (is_bot or is_burst)
"""  # noqa: S608 - a constant of our own
# Two impressions of items with k and l categories are of one category with the chance that one
# drawn from each is the same. A pair is of two different impressions.
_SHOWN_DAYS: Final = f"""
    with shown as ({_SHOWN}),

    days as (
        select
            day,
            count(*) as impressions,
            count(distinct user_id) as users,
            count(propensity) as logged,
            count(*) filter (where propensity < 0.5) as unlikely
        from shown
        group by day
    ),

    described as (
        select item_id, unnest(categories) as category, 1 / len(categories) as share
        from interaction.items
        where len(categories) > 0
    ),

    seen as (
        select day, user_id, item_id, count(*) as times from shown group by day, user_id, item_id
    ),

    by_category as (
        select
            seen.day,
            seen.user_id,
            sum(seen.times * described.share) as weight,
            sum(seen.times * described.share * described.share) as with_itself
        from seen
        inner join described on seen.item_id = described.item_id
        group by seen.day, seen.user_id, described.category
    ),

    by_user as (
        select
            day,
            user_id,
            sum(weight) as impressions,
            sum(weight * weight) - sum(with_itself) as alike
        from by_category
        group by day, user_id
    ),

    concentrations as (
        select day, alike / (impressions * (impressions - 1)) as concentration
        from by_user
        where impressions > 1.5
    ),

    alikeness as (
        select
            day,
            avg(concentration) as concentration,
            stddev_samp(concentration) as deviation,
            count(*) as seers
        from concentrations
        group by day
    )

    select days.*, concentration, deviation, coalesce(seers, 0) as seers
    from days
    left join alikeness on days.day = alikeness.day
    order by days.day
"""  # noqa: S608 - constants of our own
_SHOWN_ITEMS: Final = f"""
    select day, item_id, count(*) as impressions
    from ({_SHOWN})
    group by day, item_id
    order by day, item_id
"""  # noqa: S608 - constants of our own
_CHOSEN_ITEMS: Final = f"""
    select day, item_id, count(distinct user_id) as choices
    from interaction.interactions {THOSE_TAKING_PART}
    where
        event_type in ('item_clicked', 'item_liked', 'item_rated', 'item_used', 'item_converted')
        and user_id is not null
        and item_id is not null
        and not (is_bot or is_burst)
    group by day, item_id
    order by day, item_id
"""  # noqa: S608 - a constant of our own

_RECEIVED_DAYS: Final = """
    with accepted as (
        select received_at::date as day, count(*) as events
        from interaction.interactions
        group by received_at::date
    ),

    rejected as (
        select day, sum(events)::bigint as events from metrics.quarantine_daily group by day
    )

    select
        coalesce(accepted.day, rejected.day) as day,
        coalesce(accepted.events, 0) + coalesce(rejected.events, 0) as received,
        coalesce(rejected.events, 0) as quarantined
    from accepted
    full join rejected on accepted.day = rejected.day
    order by 1
"""


def newest_day(publication: duckdb.DuckDBPyConnection) -> date | None:
    """Return the UTC day of the newest event of a person, which is not over; None without one."""
    (newest,) = single_row(
        publication,
        "select max(occurred_at)::date from interaction.interactions "
        "where user_id is not null and not (is_bot or is_burst)",
    )
    return newest if isinstance(newest, date) else None


def signal_days(publication: duckdb.DuckDBPyConnection, as_of: date, days: int) -> pl.DataFrame:
    """Return what users did by day (`signal_windows.USER_DAYS`), of so many days before a day.

    Imputed values and outliers are left out; a survey's answer is from 0 to 1.

    Args:
        publication: from `training_tables.open_for_training`.
        as_of: what is of it or later is left out.
        days: how many before it.
    """
    frame = relation_frame(publication, _SIGNAL_DAYS, [as_of - timedelta(days=days)])
    return frame.filter(pl.col("day") < as_of)


def signals_off(publication: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return which signals users do not want to count: user_id, signal."""
    return relation_frame(publication, _SWITCHED_OFF)


def shown_days(publication: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return what was shown on each day, and how alike it was to each user; see `loop_health`."""
    return relation_frame(publication, _SHOWN_DAYS)


def shown_items(publication: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return how often each item was shown on each day: day, item_id, impressions."""
    return relation_frame(publication, _SHOWN_ITEMS)


def chosen_items(publication: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return how many users chose each item on each day: day, item_id, choices."""
    return relation_frame(publication, _CHOSEN_ITEMS)


def catalogue(publication: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return all items: item_id, first_day, categories."""
    sql = "select item_id, first_seen_at::date as first_day, categories from interaction.items"
    return relation_frame(publication, sql)


def received_days(publication: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return what came in on each day, of anybody: day, received, quarantined."""
    return relation_frame(publication, _RECEIVED_DAYS)
