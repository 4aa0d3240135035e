"""The small database that readers open: views over the files of one state, and which those are."""

from __future__ import annotations

import shutil
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
    macros: Mapping[str, str],
    *,
    base: Path | None = None,
) -> None:
    """Write the database of a state into a new file.

    Args:
        path: of that file.
        directory: where the files of the state lie.
        tables: what readers see.
        state: the files behind it.
        rows: of each table; in a keyed one fewer than in its files.
        macros: the readers' table macros by name, as statements after `create or replace`.
        base: the database of the state before. DuckDB binds a view or a macro when it is created,
            which takes longer than all else here, so those that stay the same are taken from it.
    """
    wanted = {**_views(directory, tables, state), **macros}
    defined = _copied(base, path) if base is not None else {}
    if not defined.keys() <= wanted.keys():
        # Something of an earlier release, which readers should not find any more.
        path.unlink()
        defined = {}
    # One transaction: each of its own would wait for the disk.
    with duckdb.connect(path) as connection, transaction(connection):
        for schema in sorted({table.home for table in tables} | {"published"}):
            connection.execute(f"create schema if not exists {schema}")
        for name, definition in wanted.items():
            if defined.get(name) != definition:
                connection.execute(f"create or replace {definition}")
        _write_table(
            connection,
            "files",
            {
                "table": [file.table for file in state.files],
                "partition": [file.partition for file in state.files],
                "name": [file.name for file in state.files],
                "rows": pa.array([file.rows for file in state.files], pa.int64()),
            },
        )
        counted = {"table": list(rows), "rows": pa.array(list(rows.values()), pa.int64())}
        _write_table(connection, "tables", counted)
        named = {"name": list(wanted), "definition": list(wanted.values())}
        _write_table(connection, "definitions", named)
        connection.execute(
            "create or replace table published.state as select ?::bigint as through, "
            "now() at time zone 'UTC' as published_at",
            [state.through],
        )


def _views(
    directory: Path, tables: Sequence[PublishedTable], state: PublishedState
) -> dict[str, str]:
    """Return the view of each table by its name, without `create or replace`."""
    files = files_by_table(state.files)
    found = {}
    for table in tables:
        paths = [directory / file.name for file in files[table.qualified]]
        query = view_of(table, paths) if table.key else f"from {rows_of(paths)}"
        if table.time is not None and table.taking_part:
            query = f"{query} {table.taking_part}"
        name = f"{table.home}.{table.name}"
        found[name] = f"view {name} as {query}"
    return found


def _copied(base: Path, path: Path) -> dict[str, str]:
    """Copy a database; return what is defined in it, or nothing where it is of no use."""
    try:
        shutil.copyfile(base, path)
        with duckdb.connect(path, read_only=True) as connection:
            rows = connection.execute("select name, definition from published.definitions")
            return dict(rows.fetchall())
    except (FileNotFoundError, duckdb.Error):
        path.unlink(missing_ok=True)
        return {}


def _write_table(
    connection: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, object]
) -> None:
    """Write one of the tables by which the database tells of itself."""
    connection.execute(f"drop table if exists published.{name}")
    connection.from_arrow(pa.table(dict(columns))).create(f"published.{name}")
