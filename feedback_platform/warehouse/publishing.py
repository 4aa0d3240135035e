"""Making a state of the warehouse visible: immutable Parquet, and a database of views over it.

The database is built aside and renamed over the old one. A reader has either the old state or the
new, whole; it never waits for the pipeline, and the pipeline never waits for it.
"""

from __future__ import annotations

import contextlib
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
from feedback_platform.warehouse.exporting import export
from feedback_platform.warehouse.loading import is_complete
from feedback_platform.warehouse.preferences import COUNTED, PERSONALISED, withheld_feedback
from feedback_platform.warehouse.published_copies import copy_to_lake
from feedback_platform.warehouse.published_database import (
    PublishedState,
    files_by_table,
    read_state,
    write_database,
)
from feedback_platform.warehouse.published_files import (
    PublishedFile,
    PublishedTable,
    home_of,
    stored_rows,
)

# Readers that opened the state before still read its files.
GRACE_SECONDS: Final = 3600.0


TABLES: Final = (
    PublishedTable("interaction", "interactions", time="occurred_at", internal=("event_id_hash",)),
    PublishedTable(
        "interaction",
        "sessions",
        time="started_at",
        key=("session_id",),
        internal=("session_id_hash",),
    ),
    PublishedTable("interaction", "users", key=("user_id",), internal=("user_id_hash",)),
    PublishedTable("interaction", "items", key=("item_id",)),
    PublishedTable(
        "interaction",
        "user_preferences",
        key=("user_id",),
        event_type="consent_changed",
        internal=("user_id_hash",),
    ),
    PublishedTable("interaction", "burst_limits"),
    PublishedTable("feedback", "signal_weights"),
    PublishedTable("feedback", "score_rules"),
    PublishedTable(
        "feedback",
        "user_feedback",
        time='"timestamp"',
        internal=("day", "feedback_id_hash", "user_id_hash", "pair_hash"),
        taking_part=COUNTED,
    ),
    PublishedTable(
        "feedback",
        "feedback_scores",
        key=("user_id", "item_id"),
        internal=("user_id_hash",),
    ),
    PublishedTable("features", "user_features", key=("user_id",), internal=("user_id_hash",)),
    PublishedTable("features", "item_features", key=("item_id",)),
    PublishedTable("ml", "user_segments", taking_part=PERSONALISED),
    PublishedTable("ml", "segment_profiles"),
    PublishedTable("ml", "recommendations", taking_part=PERSONALISED),
    PublishedTable("ml", "model_versions"),
    PublishedTable("metrics", "engagement_daily"),
    PublishedTable("metrics", "engagement_by_model_daily"),
    PublishedTable("metrics", "engagement_by_variant_daily"),
    PublishedTable("metrics", "satisfaction_daily"),
    PublishedTable("metrics", "retention_weekly"),
    PublishedTable("metrics", "conversion_daily"),
    PublishedTable("metrics", "before_after"),
    PublishedTable("metrics", "quarantine_daily"),
    PublishedTable("metrics", "drift_events"),
    PublishedTable("metrics", "feature_drift"),
    PublishedTable("metrics", "alerts"),
    PublishedTable("metrics", "adjustments"),
    PublishedTable("metrics", "signal_quality"),
    PublishedTable("metrics", "signal_weights"),
    PublishedTable("metrics", "loop_health_daily"),
    PublishedTable("metrics", "layer_freshness"),
    PublishedTable("metrics", "experiments"),
    PublishedTable("metrics", "experiment_results"),
    PublishedTable("metrics", "experiment_looks"),
)
TABLE_MACROS: Final = (
    ("interaction", "interactions_as_of"),
    ("interaction", "users_as_of"),
    ("interaction", "items_as_of"),
    ("interaction", "user_preferences_as_of"),
    ("feedback", "user_feedback_as_of"),
    ("feedback", "feedback_scores_as_of"),
    ("feedback", "training_scores_as_of"),
    ("features", "user_features_as_of"),
    ("features", "item_features_as_of"),
    ("features", "inferred_ratings_as_of"),
    ("features", "training_affinities_as_of"),
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
    present = {path.name for path in directory.glob("*.parquet")}
    with open_warehouse(warehouse_path) as connection:
        if not is_complete(connection):
            raise UnfinishedRunError
        _remove_debris(published_path)
        through, published_through = _state(connection)
        outgoing = read_state(published_path)
        kept = _kept(outgoing, published_through, present)
        files = [
            file
            for table in TABLES
            for file in export(
                connection,
                table,
                directory,
                kept.get(table.qualified, []),
                since=published_through,
                through=through,
            )
        ]
        rows = _rows(connection)
        fresh = [file for file in files if file.name not in present]
        copy_to_lake(lake, directory, TABLES, files, outgoing.files)
        staged = published_path.with_name(f".{published_path.name}.{uuid4().hex}")
        try:
            state = PublishedState(through, files)
            macros = _macros(connection)
            write_database(staged, directory, TABLES, state, rows, macros, base=published_path)
            for path in [*(directory / file.name for file in fresh), staged]:
                _sync(path)
            _mark_as_in_use(directory, outgoing.files)
            staged.replace(published_path)
        finally:
            staged.unlink(missing_ok=True)
        connection.execute("update pipeline.state set published_through = ?", [through])
    _remove_stale(directory, present, {file.name for file in files})
    return Publication(through, rows, len(fresh), len(files))


def remove_former(published_path: Path, lake: Lake) -> int:
    """Delete the files of every state but the present one at once, and return how many.

    Readers that hold an earlier state have to connect again: this is for users who were erased. The
    caller holds the warehouse, so that nobody publishes meanwhile.
    """
    _remove_debris(published_path)
    wanted = {file.name for file in read_state(published_path).files}
    directory = published_path.parent / "tables"
    former = [path for path in directory.glob("*") if path.name not in wanted]
    for path in former:
        path.unlink(missing_ok=True)
    if lake.directory is not None:
        return len(former)
    copies = {keys.published_current(), *map(keys.published_file, wanted)}
    stale = [key for key in lake.list_keys(keys.PUBLISHED) if key not in copies]
    lake.delete(stale)
    return len(former) + len(stale)


def _kept(
    outgoing: PublishedState, published_through: int, present: set[str]
) -> dict[str, list[PublishedFile]]:
    """Return the files of each table that the new state may build on.

    The warehouse tells what changed since `published_through`; on another state it cannot build.
    Nor on one before the first batch, whose tables may have had other columns.
    """
    if outgoing.through != published_through or published_through == 0:
        return {}
    if not present.issuperset(file.name for file in outgoing.files):
        return {}
    return files_by_table(outgoing.files)


def _state(connection: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    completed, published = single_row(
        connection, "select completed_through, published_through from pipeline.state"
    )
    return int(completed), int(published)


def _rows(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Return how many rows of each table readers see."""
    rows = {table.qualified: int(stored_rows(connection, table).shape[0]) for table in TABLES}
    rows["feedback.user_feedback"] -= withheld_feedback(connection)
    return rows


def _remove_debris(published_path: Path) -> None:
    """Delete databases that a publication which died did not rename into place."""
    for path in published_path.parent.glob(f".{published_path.name}.*"):
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Force a file to disk, before a rename makes it count."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _macros(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return the readers' table macros by name, as dbt defined them."""
    rows = connection.execute(
        "select schema_name, function_name, parameters, macro_definition from duckdb_functions() "
        "where function_type = 'table_macro'"
    ).fetchall()
    found = {(schema, name): (parameters, text) for schema, name, parameters, text in rows}
    macros = {}
    for schema, name in TABLE_MACROS:
        if (schema, name) in found:
            parameters, text = found[schema, name]
            macro = f"{home_of(schema)}.{name}"
            macros[macro] = f"macro {macro}({', '.join(parameters)}) as table {text}"
    return macros


def _mark_as_in_use(directory: Path, files: list[PublishedFile]) -> None:
    """Stamp files with the time until which a reader could open them at least."""
    for file in files:
        with contextlib.suppress(FileNotFoundError):
            os.utime(directory / file.name)


def _remove_stale(directory: Path, present: set[str], wanted: set[str]) -> None:
    """Delete the files of states that no reader can still hold open.

    Args:
        directory: where the files lie.
        present: the names of those that were there before this publication.
        wanted: those that the new state names.
    """
    oldest = time.time() - GRACE_SECONDS
    for name in present - wanted:
        path = directory / name
        if path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)
