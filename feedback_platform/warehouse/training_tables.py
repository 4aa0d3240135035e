"""What learning reads of one publication: as it is now, or as it was known at a time.

Every function reads an open connection, so that the data of one training are of one state, whatever
is published meanwhile.

Who switched personalisation off is in none of the frames, at no time, and feedback of a signal that
its user switched off in none either: what users allow counts from now on for the past too. All else
of a time in the past comes from events before it alone. The tables of feedback, scores and features
are published without them; see `preferences`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import duckdb
import polars as pl

from feedback_platform.warehouse.connection import single_row
from feedback_platform.warehouse.preferences import PERSONALISED
from feedback_platform.warehouse.published import open_published, relation_frame

# Whether somebody clicked is not known of those whose clicks do not count.
_CLICKS_COUNT: Final = """
    user_id not in (
        select user_id from interaction.user_preferences where list_contains(signals_off, 'click')
    )
"""
# A click that comes later is none: what an impression came to is settled by then, and stays so.
CLICKED_WITHIN: Final = timedelta(hours=1)
# What a user was shown before says little of today, and may be a hundred times their feedback.
SHOWN_FOR: Final = timedelta(days=30)


@contextmanager
def open_for_training(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Connect to the publication that is in place now, to read all of a training from it.

    Raises:
        NothingPublishedError: nothing has been published yet.
    """
    with open_published(path) as publication:
        yield publication


def newest_batch(publication: duckdb.DuckDBPyConnection) -> int:
    """Return the newest batch that is published; it tells which state of the lake this is."""
    (through,) = single_row(publication, "select through from published.state")
    return int(through)


def feedback_times(publication: duckdb.DuckDBPyConnection) -> pl.Series:
    """Return when each piece of feedback was given that training may use (UTC)."""
    sql = """
        select "timestamp" from feedback.user_feedback
        where confidence > 0 and not is_imputed and not is_outlier
    """
    return relation_frame(publication, sql)["timestamp"]


def training_scores(
    publication: duckdb.DuckDBPyConnection, known_before: datetime | None = None
) -> pl.DataFrame:
    """Return the scores of what was observed: without imputed values and outliers.

    Args:
        publication: from `open_for_training`.
        known_before: UTC; everything there is when left out.
    """
    sql = "from feedback.training_scores_as_of(?::timestamp) order by user_id, item_id"
    return relation_frame(publication, sql, [_instant(known_before)])


def all_scores(publication: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return the present scores of all feedback: who knows what, however it is known."""
    return relation_frame(publication, "from feedback.feedback_scores order by user_id, item_id")


def items(
    publication: duckdb.DuckDBPyConnection, known_before: datetime | None = None
) -> pl.DataFrame:
    """Return the catalogue as it was described before a time: item_id, title, categories."""
    items = "items" if known_before is None else "items_as_of(?::timestamp)"
    sql = f"select item_id, title, categories from interaction.{items} order by item_id"  # noqa: S608 - two names
    return relation_frame(publication, sql, _parameters(known_before))


def unavailable_items(publication: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the items whose attribute `is_available` was said to be false last."""
    sql = """
        select item_id from interaction.items
        where try_cast(attributes ->> 'is_available' as boolean) is false
        order by item_id
    """
    unavailable: list[str] = relation_frame(publication, sql)["item_id"].to_list()
    return unavailable


def signal_weights(publication: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return what each signal says and how much it is believed, as the scores were made."""
    return relation_frame(publication, "from feedback.signal_weights order by signal")


def score_rules(publication: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return the constants of the feedback score, as the scores were made."""
    return relation_frame(publication, "from feedback.score_rules order by rule")


def users(
    publication: duckdb.DuckDBPyConnection, known_before: datetime | None = None
) -> pl.DataFrame:
    """Return the users with the scalar attributes known before a time, each as `name:value`."""
    users = "users" if known_before is None else "users_as_of(?::timestamp)"
    sql = f"""
        select
            user_id,
            list_filter(
                list_transform(json_keys(attributes), lambda name: name || ':' || (
                    attributes ->> ('/' || replace(replace(name, '~', '~0'), '/', '~1'))
                )),
                lambda pair: pair is not null
            ) as attributes
        from interaction.{users} {PERSONALISED}
        order by user_id
    """  # noqa: S608 - names and a constant
    return relation_frame(publication, sql, _parameters(known_before))


def shown_impressions(
    publication: duckdb.DuckDBPyConnection,
    at: datetime | None = None,
    *,
    since: datetime | None = None,
) -> pl.DataFrame:
    """Return impressions, each with what came of it within an hour.

    A click belongs to its user's newest impression before it of the item in the list. Bots and
    bursts are left out, as they are of all feedback.

    Args:
        publication: from `open_for_training`.
        at: UTC; neither an impression nor a click from then on counts. All do when left out.
        since: UTC; what was shown before is left out. The last `SHOWN_FOR` are returned when it is
            left out.

    Returns:
        user_id, item_id, shown_at, is_clicked, and where it stood by whose choice:
        recommendation_id, position, propensity; null where that was not logged.
    """
    table = "interactions" if at is None else "interactions_as_of(?::timestamp)"
    sql = f"""
        with logged as materialized (
            select
                event_type, user_id, item_id, recommendation_id, position, propensity, occurred_at
            from interaction.{table} {PERSONALISED}
            where
                event_type in ('item_impression', 'item_clicked')
                and user_id is not null
                and item_id is not null
                and not (is_bot or is_burst)
                and {_CLICKS_COUNT}
        ),

        shown as (
            select *, row_number() over () as number
            from logged
            where
                event_type = 'item_impression'
                and occurred_at > coalesce(
                    ?::timestamp, (select max(occurred_at) from logged) - ?::interval
                )
        ),

        clicked as (
            select shown.number
            from (select * from logged where event_type = 'item_clicked') as clicks
            asof join shown
                on
                    clicks.user_id = shown.user_id
                    and clicks.item_id = shown.item_id
                    and clicks.recommendation_id = shown.recommendation_id
                    and clicks.occurred_at >= shown.occurred_at
            where clicks.occurred_at <= shown.occurred_at + ?::interval
        )

        select
            user_id,
            item_id,
            occurred_at as shown_at,
            number in (select number from clicked) as is_clicked,
            recommendation_id,
            position::bigint as position,
            propensity
        from shown
        order by user_id, item_id, shown_at, recommendation_id, position, is_clicked
    """  # noqa: S608 - two names and constants
    window = [None if since is None else _instant(since), SHOWN_FOR, CLICKED_WITHIN]
    return relation_frame(publication, sql, [*_parameters(at), *window])


def affinities(publication: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return how each user's observed liking is spread now: user_id, category, affinity."""
    sql = "from features.training_affinities_as_of(?::timestamp) order by user_id, category"
    return relation_frame(publication, sql, [_instant(None)])


def user_features(publication: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return the numeric features of each user as they are now."""
    sql = """
        select * exclude (as_of, category_affinity) from features.user_features order by user_id
    """
    return relation_frame(publication, sql)


def _parameters(known_before: datetime | None) -> list[Any]:
    return [] if known_before is None else [_instant(known_before)]


def _instant(known_before: datetime | None) -> datetime | str:
    """Return a time as the warehouse writes it, naive; the end of time for none."""
    if known_before is None:
        return "infinity"
    return known_before.astimezone(UTC).replace(tzinfo=None)
