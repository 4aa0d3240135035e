from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
import sqlalchemy

from feedback_platform.full_disk import is_of_a_full_disk

ROW = "x" * 10_000


def of_python() -> None:
    """The device that is always full."""
    with Path("/dev/full").open("wb", buffering=0) as file:
        file.write(b"x")


def of_sqlite() -> None:
    """A database that may not grow has the same error as one on a full disk."""
    with sqlite3.connect(":memory:") as database:
        database.execute("pragma max_page_count = 2")
        database.execute("create table grown (content text)")
        database.execute("insert into grown values (?)", [ROW])


def of_dagsters_records() -> None:
    """Dagster writes to SQLite by way of SQLAlchemy, which has an error of its own."""
    with sqlalchemy.create_engine("sqlite://").begin() as database:
        database.exec_driver_sql("pragma max_page_count = 2")
        database.exec_driver_sql("create table grown (content text)")
        database.exec_driver_sql("insert into grown values (?)", (ROW,))


def of_duckdb() -> None:
    duckdb.sql("copy (select 1 from range(1_000_000)) to '/dev/full' (format csv)")


def caused() -> None:
    try:
        of_python()
    except OSError as error:
        raise RuntimeError("The step failed.") from error


@pytest.mark.parametrize("failing", [of_python, of_sqlite, of_dagsters_records, of_duckdb, caused])
def test_a_full_disk_is_known_whoever_meets_it(failing: Callable[[], None]) -> None:
    with pytest.raises(Exception) as failure:  # noqa: PT011 - each says it in its own way
        failing()

    assert is_of_a_full_disk(failure.value)


def test_another_failure_is_none_of_a_full_disk() -> None:
    around = RuntimeError("The step failed.")
    around.__cause__ = around

    for error in (
        FileNotFoundError(2, "No such file"),
        sqlite3.OperationalError("no table"),
        around,
    ):
        assert not is_of_a_full_disk(error)
