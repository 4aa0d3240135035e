from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_platform.warehouse import parts
from feedback_platform.warehouse.exporting import export
from feedback_platform.warehouse.parts import FILES_OF_A_PART
from feedback_platform.warehouse.published_files import (
    PublishedFile,
    PublishedTable,
    rows_of,
)
from feedback_platform_tests.warehouse.lone_table import LoneTable

EVENTS = PublishedTable("interaction", "interactions", time="occurred_at")
WEIGHTS = PublishedTable("feedback", "signal_weights")
DAYS = [f"2026-{month:02d}-{day:02d}" for month in (2, 3) for day in (1, 2, 28)]


class Warehouse(LoneTable):
    """Events, and where some came and others left."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, EVENTS)
        self._ids = 0
        self.connection.execute(
            "create table interaction.changes (day date, is_leaving boolean, batch_sequence bigint)"
        )
        self.connection.execute(
            "create table interaction.interactions "
            "(event_id varchar, occurred_at timestamp, batch_sequence bigint)"
        )

    def change(self, coming: Mapping[str, int], leaving: Collection[str] = ()) -> None:
        """A batch of so many new events a day, and of one less where there is one."""
        self.batch += 1
        for day in leaving:
            self.connection.execute(
                "delete from interaction.interactions where event_id in (select min(event_id) "
                "from interaction.interactions where occurred_at::date = $1::date)",
                [day],
            )
            self.connection.execute(
                "insert into interaction.changes values ($1, true, $2)", [day, self.batch]
            )
        for day, events in coming.items():
            self.connection.execute(
                "insert into interaction.interactions "
                "select 'e' || n, $1::timestamp + interval 5 hour, $2 from range($3, $4) as r(n)",
                [day, self.batch, self._ids, self._ids + events],
            )
            self._ids += events
            self.connection.execute(
                "insert into interaction.changes values ($1, false, $2)", [day, self.batch]
            )

    def written(self) -> list[tuple[str, int]]:
        """Publish; return label and rows of the files that are new."""
        return [(file.partition, file.rows) for file in self.publish()]

    def is_published(self) -> bool:
        """Whether the files, which are all that there are, have the rows of the table."""
        paths = [self.directory / file.name for file in self.files]
        seen = duckdb.sql(f"from {rows_of(paths)}")
        assert seen is not None
        stored = self.connection.table("interaction.interactions")
        return (
            sorted(seen.fetchall()) == sorted(stored.fetchall())
            and {path.name for path in self.directory.iterdir()} == {path.name for path in paths}
            and sum(file.rows for file in self.files) == len(stored)
        )

    def forget_former_files(self) -> None:
        for path in self.directory.iterdir():
            if path.name not in {file.name for file in self.files}:
                path.unlink()


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path)


def test_what_is_only_added_to_a_part_is_one_more_file_of_it(warehouse: Warehouse) -> None:
    warehouse.change({"2026-02-01": 10, "2026-03-01": 10})
    warehouse.publish()
    warehouse.change({"2026-03-02": 3})

    assert warehouse.written() == [("2026-03", 3)]
    assert warehouse.is_published()


def test_a_part_that_something_left_is_written_again(warehouse: Warehouse) -> None:
    warehouse.change({"2026-02-01": 10, "2026-03-01": 10})
    warehouse.publish()
    warehouse.change({"2026-02-02": 1, "2026-03-02": 3}, leaving=["2026-03-01"])

    assert warehouse.written() == [("2026-02", 1), ("2026-03", 12)]
    warehouse.forget_former_files()
    assert warehouse.is_published()


def test_a_part_that_nothing_of_the_table_came_to_keeps_its_files(warehouse: Warehouse) -> None:
    """Most events are no feedback."""
    warehouse.change({"2026-03-01": 10})
    warehouse.publish()
    warehouse.change({"2026-03-01": 0})

    assert warehouse.publish() == []
    assert warehouse.is_published()


def test_a_part_has_few_files(warehouse: Warehouse) -> None:
    warehouse.change({"2026-03-01": 1000})
    warehouse.publish()
    written = 0
    for _ in range(40):
        warehouse.change({"2026-03-01": 10})
        written += sum(file.rows for file in warehouse.publish())
        warehouse.forget_former_files()
        assert len(warehouse.files) <= FILES_OF_A_PART
        assert warehouse.is_published()

    assert written < 40 * 1000 / 4


def test_a_table_without_parts_is_written_when_its_rows_are_others(tmp_path: Path) -> None:
    connection = duckdb.connect()
    connection.execute("create schema feedback")
    connection.execute("create table feedback.signal_weights (signal varchar, low double)")
    files: list[PublishedFile] = []
    outcomes = []
    for change in (
        "select 1",
        "insert into feedback.signal_weights values ('view', 0.5), ('like', null)",
        "delete from feedback.signal_weights where signal = 'view'",
        "insert into feedback.signal_weights values ('view', 0.5)",  # and it is where it was
        "insert into feedback.signal_weights values ('view', 0.5)",
        "update feedback.signal_weights set low = 1 where signal = 'like'",
    ):
        connection.execute(change).fetchall()
        before, files = files, export(connection, WEIGHTS, tmp_path, files, since=1, through=1)
        outcomes.append((files != before, files[0].rows))
        again = export(connection, WEIGHTS, tmp_path, files, since=1, through=1)
        assert again == files

    assert outcomes == [(True, 0), (True, 2), (True, 1), (True, 2), (True, 3), (True, 2 + 1)]


@settings(max_examples=25)
@given(
    batches=st.lists(
        st.tuples(
            st.dictionaries(st.sampled_from(DAYS), st.integers(0, 4), max_size=4),
            st.sets(st.sampled_from(DAYS), max_size=2),
            st.booleans(),
        ),
        min_size=3,
        max_size=10,
    ),
    month_rows=st.sampled_from([6, 1000]),
)
def test_readers_see_every_row_once_after_every_publication(
    batches: list[tuple[dict[str, int], set[str], bool]], month_rows: int
) -> None:
    with TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "MONTH_ROWS", month_rows)
        warehouse = Warehouse(Path(directory))
        for coming, leaving, is_published in batches:
            warehouse.change(coming, leaving)
            if is_published:
                warehouse.publish()
                warehouse.forget_former_files()
                assert warehouse.is_published()
                files = Counter(file.partition for file in warehouse.files)
                assert max(files.values()) <= FILES_OF_A_PART
        warehouse.connection.close()
