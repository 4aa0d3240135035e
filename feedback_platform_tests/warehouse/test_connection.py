from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from feedback_platform.errors import (
    TransientError,
    WarehouseBusyError,
    WarehouseUnreadableError,
)
from feedback_platform.warehouse.connection import (
    exclusive_warehouse,
    open_warehouse,
    single_row,
    transaction,
)
from feedback_platform.warehouse.loading import is_complete

HOLD = """
import sys, time
from pathlib import Path
from feedback_platform.warehouse.connection import exclusive_warehouse
with exclusive_warehouse(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@contextmanager
def _holder(path: Path, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the warehouse."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), str(seconds)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "warehouse" / "warehouse.duckdb"


def test_a_second_process_waits_and_then_says_who_is_in_the_way(path: Path) -> None:
    with _holder(path, 60):
        begun = time.monotonic()
        with (
            pytest.raises(WarehouseBusyError, match=r"held the warehouse .*duckdb for 1 s"),
            exclusive_warehouse(path, wait=0.6),
        ):
            pass

    assert 0.6 <= time.monotonic() - begun < 30
    assert issubclass(WarehouseBusyError, TransientError)


def test_a_second_process_gets_its_turn(path: Path) -> None:
    with _holder(path, 0.5), exclusive_warehouse(path, wait=30) as held:
        assert held == path


def test_the_lock_goes_with_its_holder_however_it_dies(path: Path) -> None:
    with _holder(path, 60) as process:
        process.kill()
        process.wait()
        with exclusive_warehouse(path, wait=5):
            pass


def test_a_failure_inside_lets_go(path: Path) -> None:
    with pytest.raises(ZeroDivisionError), exclusive_warehouse(path):
        _ = 1 / 0

    with exclusive_warehouse(path, wait=0):
        pass


def test_the_fixed_tables_are_in_place_and_stay(path: Path) -> None:
    for _ in range(2):
        with exclusive_warehouse(path), open_warehouse(path) as connection:
            assert is_complete(connection)
            assert single_row(connection, "select current_setting('TimeZone')") == ("UTC",)
            assert connection.table("lake.clean_events").shape == (0, 41)


def test_a_damaged_file_is_named_and_what_to_do_about_it(path: Path) -> None:
    with exclusive_warehouse(path), open_warehouse(path):
        pass
    whole = path.read_bytes()

    for content in (b"damaged" * 2000, whole[: len(whole) // 2]):
        path.write_bytes(content)
        with (
            exclusive_warehouse(path),
            pytest.raises(WarehouseUnreadableError, match=r"warehouse\.duckdb .*delete it"),
            open_warehouse(path),
        ):
            pass


def test_a_transaction_is_all_or_nothing(path: Path) -> None:
    insert = "insert into pipeline.opinion_changes values ('i', 1, 1, 0.5, 0.5)"
    broken = "insert into pipeline.opinion_changes (item_id) values (null)"
    with exclusive_warehouse(path), open_warehouse(path) as connection:
        with pytest.raises(duckdb.ConstraintException), transaction(connection):
            connection.execute(f"{insert}; {broken}")
        assert connection.table("pipeline.opinion_changes").shape[0] == 0

        with transaction(connection):
            connection.execute(insert)
        assert connection.table("pipeline.opinion_changes").shape[0] == 1


def test_single_row_takes_parameters_and_refuses_other_numbers_of_rows(path: Path) -> None:
    with exclusive_warehouse(path), open_warehouse(path) as connection:
        assert single_row(connection, "select ?, 2", [1]) == (1, 2)
        with pytest.raises(ValueError, match="too many values"):
            single_row(connection, "select unnest([1, 2])")


@pytest.mark.parametrize(
    "earlier",
    ["update pipeline.fixed_schema set digest = 'another'", "drop table pipeline.fixed_schema"],
)
def test_a_warehouse_of_an_earlier_release_gets_the_tables_that_came_since(
    path: Path, earlier: str
) -> None:
    with exclusive_warehouse(path), open_warehouse(path) as connection:
        connection.execute("drop table ml.user_segments")
        connection.execute(earlier)

    with open_warehouse(path) as connection:
        assert connection.execute("from ml.user_segments").fetchall() == []


def test_a_warehouse_that_has_all_tables_is_left_alone(path: Path) -> None:
    with exclusive_warehouse(path), open_warehouse(path) as connection:
        connection.execute("drop table ml.user_segments")

    with (
        open_warehouse(path) as connection,
        pytest.raises(duckdb.CatalogException, match="user_segments"),
    ):
        connection.execute("from ml.user_segments")
