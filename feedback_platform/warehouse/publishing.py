"""Making a state of the warehouse visible: immutable Parquet, and a database of views over it.

The database is built aside and renamed over the old one. A reader has either the old state or the
new, whole; it never waits for the pipeline, and the pipeline never waits for it.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

import duckdb

from feedback_platform.errors import TransientError
from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform.warehouse.connection import open_warehouse, single_row
from feedback_platform.warehouse.exporting import (
    PublishedFile,
    PublishedTable,
    export,
    home_of,
)
from feedback_platform.warehouse.loading import is_complete
from feedback_platform.warehouse.published import open_published

# Readers that opened the state before still read its files.
GRACE_SECONDS: Final = 3600.0


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
    ("interaction", "users_as_of"),
    ("interaction", "items_as_of"),
    ("feedback", "user_feedback_as_of"),
    ("feedback", "feedback_scores_as_of"),
    ("feedback", "training_scores_as_of"),
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
    files: list[PublishedFile]


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
            for file in export(
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
    return _PublishedState(int(through), [PublishedFile(*row) for row in rows])


def _copy_to_lake(
    lake: Lake, directory: Path, files: list[PublishedFile], outgoing: list[PublishedFile]
) -> None:
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
            f"create macro {home_of(schema)}.{name}({', '.join(parameters)}) as table {definition}"
            for parameters, definition in rows
        ]
    return statements


def _write_database(
    path: Path, directory: Path, files: list[PublishedFile], macros: list[str], through: int
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


def _mark_as_in_use(directory: Path, files: list[PublishedFile]) -> None:
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


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
