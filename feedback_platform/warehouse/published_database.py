"""The small database that readers open: views over the files of one state, and which those are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from feedback_platform.warehouse.connection import single_row, transaction
from feedback_platform.warehouse.keyed_tables import view_of
from feedback_platform.warehouse.published import open_published
from feedback_platform.warehouse.published_files import PublishedFile, PublishedTable, rows_of


@dataclass(frozen=True)
class PublishedState:
    """What a published database shows.

    Attributes:
        through: the newest batch in it.
        files: those behind its views; of each table in order.
    """

    through: int
    files: list[PublishedFile]


def files_by_table(files: Iterable[PublishedFile]) -> dict[str, list[PublishedFile]]:
    """Return the files of each table, in their order, by its name with the schema."""
    found: dict[str, list[PublishedFile]] = {}
    for file in files:
        found.setdefault(file.table, []).append(file)
    return found


def read_state(path: Path) -> PublishedState:
    """Return what the database in place shows; nothing where there is none that can be read.

    Then the next state builds on no file, and takes the place of what is damaged.
    """
    if not path.exists():
        return PublishedState(0, [])
    try:
        with open_published(path) as connection:
            (through,) = single_row(connection, "select through from published.state")
            rows = connection.execute(
                'select "table", partition, name, rows from published.files order by rowid'
            ).fetchall()
    except duckdb.Error:
        return PublishedState(0, [])
    return PublishedState(int(through), [PublishedFile(*row) for row in rows])


def write_database(
    path: Path,
    directory: Path,
    tables: Sequence[PublishedTable],
    state: PublishedState,
    rows: Mapping[str, int],
    macros: Iterable[str],
) -> None:
    """Write the database of a state into a new file.

    Args:
        path: of that file.
        directory: where the files of the state lie.
        tables: what readers see.
        state: the files behind it.
        rows: of each table; in a keyed one fewer than in its files.
        macros: statements that create the readers' table macros.
    """
    files = files_by_table(state.files)
    # One transaction: each of its own would wait for the disk.
    with duckdb.connect(path) as connection, transaction(connection):
        for schema in sorted({table.home for table in tables} | {"published"}):
            connection.execute(f"create schema if not exists {schema}")
        for table in tables:
            paths = [directory / file.name for file in files[table.qualified]]
            query = view_of(table, paths) if table.key else f"from {rows_of(paths)}"
            if table.time is not None and table.taking_part:
                query = f"{query} {table.taking_part}"
            connection.execute(f"create view {table.home}.{table.name} as {query}")
        for statement in macros:
            connection.execute(statement)
        named = connection.from_arrow(
            pa.table(
                {
                    "table": [file.table for file in state.files],
                    "partition": [file.partition for file in state.files],
                    "name": [file.name for file in state.files],
                    "rows": pa.array([file.rows for file in state.files], pa.int64()),
                }
            )
        )
        named.create("published.files")
        counted = pa.table({"table": list(rows), "rows": pa.array(list(rows.values()), pa.int64())})
        connection.from_arrow(counted).create("published.tables")
        connection.execute(
            "create table published.state as select ?::bigint as through, "
            "now() at time zone 'UTC' as published_at",
            [state.through],
        )
