"""Reading the published database: what learning, drift, the command line and tests know of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from feedback_platform.errors import NothingToLearnError
from feedback_platform.warehouse.connection import single_row


@contextmanager
def open_published(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Connect to the published database, read-only.

    Raises:
        NothingToLearnError: nothing has been published yet.
    """
    if not path.exists():
        raise NothingToLearnError(
            f"Nothing is published at {path} yet. Load events and run `feedback-platform process`."
        )
    with duckdb.connect(path, read_only=True) as connection:
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
    """Return the rows of a query over the published tables."""
    with open_published(path) as connection:
        return pl.DataFrame(connection.sql(sql, params=parameters or []).to_arrow_table())


def scores_as_of(path: Path, as_of: datetime | None = None) -> pl.DataFrame:
    """Return the feedback scores as they were known at a time, from feedback before it only.

    Args:
        path: the published database.
        as_of: UTC, naive; the present state when left out.
    """
    if as_of is None:
        return query(path, "from feedback.feedback_scores order by user_id, item_id")
    sql = "from feedback.feedback_scores_as_of(?::timestamp) order by user_id, item_id"
    return query(path, sql, [as_of])
