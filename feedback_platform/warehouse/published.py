"""Reading the published database: what learning, drift, the command line and tests know of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import duckdb
import polars as pl

from feedback_platform.errors import NothingPublishedError
from feedback_platform.warehouse.connection import single_row

# The name that DuckDB gives to the published database: its file's.
DATABASE: Final = "feedback"


@contextmanager
def open_published(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Connect to the published database as it is now, read-only.

    Raises:
        NothingPublishedError: nothing has been published yet.
    """
    if not path.exists():
        raise NothingPublishedError(
            f"Nothing is published at {path} yet. Load events and run `feedback-platform process`."
        )
    # Connecting to the file itself would show what another connection of this process has open,
    # which may be a state of long ago; attaching opens the file that is there.
    with duckdb.connect() as connection:
        location = str(path).replace("'", "''")
        connection.execute(f"attach '{location}' as {DATABASE} (read_only)")
        connection.execute(f"use {DATABASE}")
        connection.execute("set TimeZone = 'UTC'")
        yield connection


def published_through(path: Path) -> int:
    """Return the newest batch that readers can see; 0 before the first publication."""
    if not path.exists():
        return 0
    with open_published(path) as connection:
        (through,) = single_row(connection, "select through from published.state")
    return int(through)


def query(path: Path, sql: str, parameters: list[Any] | None = None) -> pl.DataFrame:
    """Return the rows of a query over the published tables; times are UTC."""
    with open_published(path) as connection:
        return relation_frame(connection, sql, parameters)


def relation_frame(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: list[Any] | None = None
) -> pl.DataFrame:
    """Return the rows of a query on an open connection; the warehouse's naive times are UTC."""
    frame = pl.DataFrame(connection.sql(sql, params=parameters or []).to_arrow_table())
    return frame.with_columns(pl.selectors.datetime(time_zone=None).dt.replace_time_zone("UTC"))


def scores_as_of(path: Path, as_of: datetime | None = None) -> pl.DataFrame:
    """Return the feedback scores as they were known at a time, from feedback before it only.

    Args:
        path: the published database.
        as_of: UTC; the present state when left out.
    """
    if as_of is None:
        return query(path, "from feedback.feedback_scores order by user_id, item_id")
    sql = "from feedback.feedback_scores_as_of(?::timestamp) order by user_id, item_id"
    return query(path, sql, [as_of.astimezone(UTC).replace(tzinfo=None)])


def feedback_times(path: Path) -> pl.Series:
    """Return when each piece of feedback that counts was given (UTC)."""
    frame = query(path, 'select "timestamp" from feedback.user_feedback where confidence > 0')
    return frame["timestamp"]


def items(path: Path) -> pl.DataFrame:
    """Return the catalogue: item_id, title, categories."""
    return query(path, "select item_id, title, categories from interaction.items order by item_id")


def users(path: Path) -> pl.DataFrame:
    """Return the users with their scalar attributes, each as `name:value`."""
    return query(
        path,
        """
        select
            user_id,
            list_filter(
                list_transform(json_keys(attributes), lambda name: name || ':' || (
                    attributes ->> ('/' || replace(replace(name, '~', '~0'), '/', '~1'))
                )),
                lambda pair: pair is not null
            ) as attributes
        from interaction.users
        order by user_id
        """,
    )


def affinities(path: Path) -> pl.DataFrame:
    """Return how each user's liking is spread: user_id, category, affinity."""
    return query(
        path,
        """
        select user_id, entry.key as category, entry.value as affinity
        from (
            select user_id, unnest(map_entries(category_affinity)) as entry
            from features.user_features
        )
        order by user_id, category
        """,
    )


def user_features(path: Path) -> pl.DataFrame:
    """Return the numeric features of each user."""
    return query(
        path, "select * exclude (as_of, category_affinity) from features.user_features order by 1"
    )
