"""Opening the warehouse file: one process at a time, and the others wait for their turn."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import duckdb

from feedback_platform.errors import WarehouseBusyError, WarehouseUnreadableError

DEFAULT_WAIT_SECONDS: Final = 600.0
_POLL_SECONDS: Final = 0.2


@contextmanager
def exclusive_warehouse(path: Path, *, wait: float = DEFAULT_WAIT_SECONDS) -> Iterator[Path]:
    """Hold the warehouse for this process, so that dbt or a connection may open the file.

    DuckDB refuses a second process at once. The lock file beside it makes that process wait
    instead, and the operating system drops the lock when its holder dies.

    Args:
        path: the warehouse file.
        wait: seconds to wait for another process.

    Raises:
        WarehouseBusyError: the other process did not let go in time.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _acquire(descriptor, path, wait)
        yield path
    finally:
        os.close(descriptor)


@contextmanager
def open_warehouse(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Connect to the warehouse, its fixed tables in place; the caller holds it exclusively.

    Raises:
        WarehouseUnreadableError: the file is no database any more, or another program has it open.
    """
    with ExitStack() as stack:
        try:
            connection = duckdb.connect(path)
            stack.callback(connection.close)
            connection.execute("set TimeZone = 'UTC'")
            created = _digest_of_fixed_schema(connection)
        except (duckdb.IOException, duckdb.SerializationException) as error:
            raise WarehouseUnreadableError(
                f"The warehouse {path} cannot be opened: {' '.join(str(error).split())} "
                "Close whatever else has it open. If the file is damaged, delete it: all of it "
                "comes from the lake, and the next run builds it anew."
            ) from error
        _create_fixed_tables(connection, created)
        yield connection


def single_row(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: list[Any] | None = None
) -> tuple[Any, ...]:
    """Return the one row of a query.

    `fetchone` would leave the result open, and DuckDB refuses further work until it is drained.
    """
    (row,) = connection.execute(sql, parameters or []).fetchall()
    return tuple(row)


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Commit what happens inside, or nothing of it."""
    connection.begin()
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def fixed_statements() -> str:
    """Return the statements that create what exists before dbt runs."""
    return files("feedback_platform.warehouse").joinpath("schema.sql").read_text()


def _digest_of_fixed_schema(connection: duckdb.DuckDBPyConnection) -> str | None:
    """Return what this warehouse's fixed tables were made of; None where that is not recorded."""
    with suppress(duckdb.CatalogException):
        (digest,) = single_row(connection, "select digest from pipeline.fixed_schema")
        return str(digest)
    return None


def _create_fixed_tables(connection: duckdb.DuckDBPyConnection, created: str | None) -> None:
    """Create what is not there yet; a warehouse that has all of it is left alone.

    The statements would change nothing there, and take as long as a small increment's.
    """
    statements = fixed_statements()
    digest = hashlib.sha256(statements.encode()).hexdigest()
    if created != digest:
        connection.execute(statements)
        record = "create or replace table pipeline.fixed_schema as select ? as digest"
        connection.execute(record, [digest])


def _acquire(descriptor: int, path: Path, wait: float) -> None:
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise WarehouseBusyError(
                    f"Another process has held the warehouse {path} for {wait:.0f} s. "
                    "Wait for its run to end, or end it, and try again."
                ) from None
            time.sleep(_POLL_SECONDS)
        else:
            return
