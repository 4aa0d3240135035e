"""Making a state of the warehouse visible: immutable Parquet, and a database of views over it.

The database is built aside and renamed over the old one. A reader has either the old state or the
new, whole; it never waits for the pipeline, and the pipeline never waits for it. Tables that grow
for ever are kept in parts by time, and only the parts that changed are written again.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final
from uuid import uuid4

import duckdb

from feedback_platform.errors import TransientError
from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform.warehouse.connection import open_warehouse, single_row
from feedback_platform.warehouse.loading import is_complete
from feedback_platform.warehouse.parts import Part, month_of, parts_to_write
from feedback_platform.warehouse.published import DATABASE, open_published

# Readers that opened the state before still read its files.
GRACE_SECONDS: Final = 3600.0
WHOLE: Final = "all"


@dataclass(frozen=True)
class PublishedTable:
    """A table that readers see.

    Attributes:
        time: the column by which a growing one is kept in parts.
        key: of one that is kept in parts although its rows are not events: what `changes` names.
    """

    schema: str
    name: str
    time: str | None = None
    key: str | None = None

    @property
    def qualified(self) -> str:
        """The name with its schema, by which everybody knows it."""
        return f"{self.schema}.{self.name}"

    @property
    def home(self) -> str:
        """The schema of its view in the published database; see `_home_of`."""
        return _home_of(self.schema)


TABLES: Final = (
    PublishedTable("interaction", "interactions", time="occurred_at"),
    PublishedTable("interaction", "sessions", time="started_at", key="session_id"),
    PublishedTable("interaction", "users"),
    PublishedTable("interaction", "items"),
    PublishedTable("interaction", "burst_limits"),
    PublishedTable("feedback", "signal_weights"),
    PublishedTable("feedback", "score_rules"),
    PublishedTable("feedback", "user_feedback", time='"timestamp"'),
    PublishedTable("feedback", "feedback_scores"),
    PublishedTable("features", "user_features"),
    PublishedTable("features", "item_features"),
    PublishedTable("ml", "user_segments"),
    PublishedTable("ml", "segment_profiles"),
    PublishedTable("ml", "recommendations"),
    PublishedTable("ml", "model_versions"),
    PublishedTable("metrics", "engagement_daily"),
    PublishedTable("metrics", "satisfaction_daily"),
    PublishedTable("metrics", "quarantine_daily"),
    PublishedTable("metrics", "drift_events"),
)
TABLE_MACROS: Final = (
    ("interaction", "interactions_as_of"),
    ("feedback", "user_feedback_as_of"),
    ("feedback", "feedback_scores_as_of"),
    ("features", "user_features_as_of"),
    ("features", "item_features_as_of"),
    ("features", "inferred_ratings_as_of"),
)


@dataclass(frozen=True)
class Publication:
    """What a publication made visible.

    Attributes:
        through: the newest batch in it.
        rows: rows of each table.
        files_written: Parquet files that were new; the others stayed as they were.
        files: Parquet files behind the database.
    """

    through: int
    rows: dict[str, int]
    files_written: int
    files: int


@dataclass(frozen=True)
class _File:
    table: str
    partition: str
    name: str
    rows: int


class UnfinishedRunError(TransientError):
    """The run that took in the newest batches did not end; readers must not see half of it."""

    def __init__(self) -> None:
        super().__init__(
            "The last run stopped before all tables were built, so nothing was published. "
            "Run `feedback-platform process`; the sensor does so by itself."
        )


@dataclass(frozen=True)
class _PublishedState:
    through: int
    files: list[_File]


def publish(warehouse_path: Path, published_path: Path, lake: Lake) -> Publication:
    """Publish the present state of the warehouse, which the caller holds exclusively.

    Args:
        warehouse_path: the DuckDB file of the pipeline.
        published_path: the DuckDB file for everybody else; its Parquet goes beside it.
        lake: a remote one gets a copy of each Parquet file, and `published/current.json`, which
            names the files of each table.

    Raises:
        UnfinishedRunError: some tables hold batches that others do not hold yet.
    """
    directory = published_path.parent / "tables"
    directory.mkdir(parents=True, exist_ok=True)
    with open_warehouse(warehouse_path) as connection:
        if not is_complete(connection):
            raise UnfinishedRunError
        _remove_debris(published_path)
        through, published_through = _state(connection)
        outgoing = _current_state(published_path)
        # `changes` says what changed since published_through: on another state it cannot build.
        kept = outgoing.files if outgoing.through == published_through else []
        if not all((directory / file.name).exists() for file in kept):
            kept = []
        files = [
            file
            for table in TABLES
            for file in _export(
                connection, table, directory, [f for f in kept if f.table == table.qualified]
            )
        ]
        fresh = [file for file in files if file not in kept]
        _copy_to_lake(lake, directory, files, outgoing.files)
        staged = published_path.with_name(f".{published_path.name}.{uuid4().hex}")
        try:
            _write_database(staged, directory, files, _macros(connection), through)
            for path in [*(directory / file.name for file in fresh), staged]:
                _sync(path)
            _mark_as_in_use(directory, outgoing.files)
            staged.replace(published_path)
        finally:
            staged.unlink(missing_ok=True)
        connection.execute("update pipeline.state set published_through = ?", [through])
    _remove_stale(directory, {file.name for file in files})
    rows = {table.qualified: 0 for table in TABLES}
    for file in files:
        rows[file.table] += file.rows
    return Publication(through, rows, len(fresh), len(files))


def _state(connection: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    completed, published = single_row(
        connection, "select completed_through, published_through from pipeline.state"
    )
    return int(completed), int(published)


def _current_state(published_path: Path) -> _PublishedState:
    """Return what the database in place shows."""
    if not published_path.exists():
        return _PublishedState(0, [])
    with open_published(published_path) as connection:
        (through,) = single_row(connection, "select through from published.state")
        rows = connection.execute(
            'select "table", partition, name, rows from published.files'
        ).fetchall()
    return _PublishedState(int(through), [_File(*row) for row in rows])


def _export(
    connection: duckdb.DuckDBPyConnection,
    table: PublishedTable,
    directory: Path,
    kept: list[_File],
) -> list[_File]:
    if table.time is None:
        return [_write(connection, table, directory)]
    days = _changed_days(connection, table, directory, kept)
    partitions = {file.partition for file in kept}
    parts = parts_to_write(days, partitions, _rows_by_month(connection, table, days))
    labels = {part.label for part in parts}
    unchanged = [
        file
        for file in kept
        if file.partition != WHOLE and not any(label.startswith(file.partition) for label in labels)
    ]
    files = unchanged + [
        file for part in parts for file in _write_part(connection, table, directory, part)
    ]
    # A view needs a file to take its columns from, even where there are no rows.
    return sorted(files, key=lambda file: file.partition) or [_write(connection, table, directory)]


def _write(connection: duckdb.DuckDBPyConnection, table: PublishedTable, directory: Path) -> _File:
    """Write a whole table into one file."""
    name = f"{table.qualified}-{uuid4().hex}.parquet"
    relation = connection.table(table.qualified)
    relation.write_parquet(str(directory / name), compression="zstd")
    return _File(table.qualified, WHOLE, name, int(relation.shape[0]))


def _write_part(
    connection: duckdb.DuckDBPyConnection, table: PublishedTable, directory: Path, part: Part
) -> list[_File]:
    """Write the rows of one part into one file; none where there are no rows any more."""
    relation = _within(connection, table, part)
    rows = int(relation.shape[0])
    if rows == 0:
        return []
    name = f"{table.qualified}-{part.label}-{uuid4().hex}.parquet"
    relation.write_parquet(str(directory / name), compression="zstd")
    return [_File(table.qualified, part.label, name, rows)]


def _within(
    connection: duckdb.DuckDBPyConnection, table: PublishedTable, part: Part
) -> duckdb.DuckDBPyRelation:
    # A range of the column itself: the storage knows which of its blocks to leave out.
    condition = f"{table.time} < date '{part.end}'"
    if part.begin > date.min:
        condition += f" and {table.time} >= date '{part.begin}'"
    return connection.table(table.qualified).filter(condition)


def _changed_days(
    connection: duckdb.DuckDBPyConnection,
    table: PublishedTable,
    directory: Path,
    kept: list[_File],
) -> list[date]:
    """Return the days whose rows differ from what readers have, or all where they have nothing."""
    if not kept:
        changed = connection.table(table.qualified).project(f"cast({table.time} as date) as day")
    elif table.key is None:
        changed = connection.table("interaction.changes").project("day")
    else:
        # Where the row of a key lies now, and where the readers' row of it lies.
        touched = connection.table("interaction.changes").project(table.key)
        before = connection.read_parquet([str(directory / file.name) for file in kept])
        homes = [
            relation.join(touched, table.key, how="semi").project(
                f"cast({table.time} as date) as day"
            )
            for relation in (connection.table(table.qualified), before)
        ]
        changed = homes[0].union(homes[1])
    # A clock that was set wrong may say a day before the first that Python knows.
    days = changed.project(f"greatest(day, date '{date.min}')").distinct().fetchall()
    return sorted(day for (day,) in days)


def _rows_by_month(
    connection: duckdb.DuckDBPyConnection, table: PublishedTable, days: list[date]
) -> dict[str, int]:
    months = {month.label: month for month in map(month_of, days)}
    return {
        label: int(_within(connection, table, month).shape[0]) for label, month in months.items()
    }


def _copy_to_lake(lake: Lake, directory: Path, files: list[_File], outgoing: list[_File]) -> None:
    """Keep a copy of the published files in a remote lake, and of the state before, no more."""
    if lake.directory is not None:
        return
    stored = set(lake.list_keys(keys.PUBLISHED))
    for file in files:
        key = keys.published_file(file.name)
        if key not in stored:
            lake.put(key, (directory / file.name).read_bytes(), mode="overwrite")
    tables: dict[str, list[str]] = {}
    for file in files:
        tables.setdefault(file.table, []).append(file.name)
    lake.put(keys.published_current(), json.dumps(tables).encode(), mode="overwrite")
    wanted = {keys.published_file(file.name) for file in [*files, *outgoing]}
    lake.delete(sorted(stored - wanted - {keys.published_current()}))


def _remove_debris(published_path: Path) -> None:
    """Delete databases that a publication which died did not rename into place."""
    for path in published_path.parent.glob(f".{published_path.name}.*"):
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Force a file to disk, before a rename makes it count."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _macros(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the statements that create the readers' table macros, as dbt defined them."""
    statements = []
    for schema, name in TABLE_MACROS:
        rows = connection.execute(
            """
            select parameters, macro_definition from duckdb_functions()
            where schema_name = ? and function_name = ? and function_type = 'table_macro'
            """,
            [schema, name],
        ).fetchall()
        statements += [
            f"create macro {_home_of(schema)}.{name}({', '.join(parameters)}) as table {definition}"
            for parameters, definition in rows
        ]
    return statements


def _write_database(
    path: Path, directory: Path, files: list[_File], macros: list[str], through: int
) -> None:
    with duckdb.connect(path) as connection:
        for schema in sorted({table.home for table in TABLES} | {"published"}):
            connection.execute(f"create schema if not exists {schema}")
        for table in TABLES:
            paths = ", ".join(
                _literal(str(directory / file.name))
                for file in files
                if file.table == table.qualified
            )
            connection.execute(
                f"create view {table.home}.{table.name} as "
                f"from read_parquet([{paths}], hive_partitioning = false)"
            )
        for statement in macros:
            connection.execute(statement)
        connection.execute(
            'create table published.files ("table" varchar, partition varchar, '
            "name varchar, rows bigint)"
        )
        connection.executemany(
            "insert into published.files values (?, ?, ?, ?)",
            [[file.table, file.partition, file.name, file.rows] for file in files],
        )
        connection.execute(
            "create table published.state as select ?::bigint as through, "
            "now()::timestamp as published_at",
            [through],
        )


def _mark_as_in_use(directory: Path, files: list[_File]) -> None:
    """Stamp files with the time until which a reader could open them at least."""
    for file in files:
        with contextlib.suppress(FileNotFoundError):
            os.utime(directory / file.name)


def _remove_stale(directory: Path, wanted: set[str]) -> None:
    """Delete the files of states that no reader can still hold open."""
    oldest = time.time() - GRACE_SECONDS
    for path in directory.rglob("*.parquet"):
        name = path.relative_to(directory).as_posix()
        if name not in wanted and path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)
    for folder in sorted(directory.rglob("*"), reverse=True):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _home_of(schema: str) -> str:
    """Return the schema in which a reader's `schema.table` is found.

    DuckDB names a database after its file. In `feedback.duckdb` the name `feedback.user_feedback`
    would be ambiguous if there were a schema `feedback` too, and DuckDB refuses to choose. So that
    layer lies in `main`, where the same name finds it.
    """
    return "main" if schema == DATABASE else schema


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
