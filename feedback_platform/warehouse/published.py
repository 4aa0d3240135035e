"""Reading the published database: what drift, the command line and tests know of it.

What learning reads is in `training_tables`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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
