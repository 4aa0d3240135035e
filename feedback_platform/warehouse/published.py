"""Reading the published database: what drift, the command line and tests know of it.

What learning reads is in `training_tables`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import duckdb
import polars as pl

from feedback_platform.errors import NothingPublishedError
from feedback_platform.warehouse.connection import single_row

# Tells the database of one state from that of the next: each is a file of its own.
_State = tuple[int, int, int, int]

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
    state = _state_at(path)
    return 0 if state is None else _through(path, state)


def query_once(path: Path, sql: str) -> pl.DataFrame:
    """Return the rows of a query, which is run once for each state that is published.

    For whoever looks every few seconds whether something has changed.
    """
    state = _state_at(path)
    return query(path, sql) if state is None else _rows_of(path, state, sql)


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


def _state_at(path: Path) -> _State | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


# Where the file is replaced between the look and the reading, what is kept is of the next state,
# under the name of one that nobody asks for again.
@lru_cache(maxsize=8)
def _through(path: Path, _state: _State) -> int:
    with open_published(path) as connection:
        (through,) = single_row(connection, "select through from published.state")
    return int(through)


@lru_cache(maxsize=32)
def _rows_of(path: Path, _state: _State, sql: str) -> pl.DataFrame:
    return query(path, sql)
