"""From the lake into the warehouse: the clean rows of new batches, and what learning made."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

import duckdb
import polars as pl

from feedback_platform.errors import LakeObjectExistsError
from feedback_platform.lake import keys
from feedback_platform.lake.batches import (
    BatchManifest,
    latest_manifest,
    read_manifest,
    sequences_after,
)
from feedback_platform.lake.store import Lake
from feedback_platform.lake.tombstones import erased_through
from feedback_platform.warehouse.connection import open_warehouse, single_row, transaction
from feedback_platform.warehouse.local_copies import LocalCopies
from feedback_platform.warehouse.taking_back import take_back

# What a run takes in at most, unless a single batch has more. So memory is bounded however much is
# new; the outcome does not depend on the cut.
RUN_ROWS: Final = 1_000_000


@dataclass(frozen=True)
class StagedBatches:
    """What was put in front of dbt.

    Attributes:
        through: the newest batch that is staged or complete.
        batches: how many batches are staged.
        clean: staged rows.
        quarantined: rejected rows that came with them.
        is_rebuild: whether the warehouse is being built from nothing.
        remaining: how many batches are left for runs to come.
    """

    through: int
    batches: int
    clean: int
    quarantined: int
    is_rebuild: bool
    remaining: int


def is_complete(connection: duckdb.DuckDBPyConnection) -> bool:
    """Return whether the last run that took batches in went through to its end."""
    staged, completed = single_row(
        connection, "select staged_through, completed_through from pipeline.state"
    )
    return bool(staged == completed)


def complete(connection: duckdb.DuckDBPyConnection, through: int) -> None:
    """Record that every table holds all batches up to this one."""
    connection.execute("update pipeline.state set completed_through = ?", [through])


def stage_batches(
    path: Path, lake: Lake, cache_dir: Path, *, definitions: str = "", rows: int = RUN_ROWS
) -> StagedBatches:
    """Load the clean and rejected rows of the next batches that are not complete yet.

    What a reprocessing batch replaces is taken back first. After a run that died the very batches
    that it began with are loaded again: some tables may hold them. Some changes are beyond an
    increment; then the warehouse starts anew from the clean layer:
    - the tables are of another lake, or of a lake that has lost batches;
    - they were built by other definitions: models, weights, the schema;
    - users were erased from the lake: a database keeps what was deleted in it.

    Args:
        path: the warehouse file, held by the caller.
        lake: where the batches lie.
        cache_dir: where objects of a remote lake are copied to while they load.
        definitions: fingerprint of what builds the tables, see `DbtProject.fingerprint`.
        rows: load no more clean rows than these, but one batch at least.
    """
    basis = basis_of(lake, definitions)
    begun, done = _progress_on(path, basis)
    latest = latest_manifest(lake)
    if done > (latest.sequence if latest else 0):
        done = 0
    if done == 0:
        remove_warehouse(path)
        begun = 0
    pending = sequences_after(lake, done)
    manifests = _next_run(lake, pending, begun, rows)
    through = manifests[-1].sequence if manifests else done
    with (
        open_warehouse(path) as connection,
        LocalCopies(lake, cache_dir) as copies,
        transaction(connection),
    ):
        _load_manifests(connection, manifests, copies)
        take_back(connection, lake, cache_dir, manifests, done=done)
        connection.execute(
            "update pipeline.state set staged_through = ?, basis = ?", [through, basis]
        )
        clean, quarantined = _staged_rows(connection, done)
    return StagedBatches(
        through,
        len(manifests),
        clean,
        quarantined,
        is_rebuild=done == 0,
        remaining=len(pending) - len(manifests),
    )


def lake_identity(lake: Lake) -> str:
    """Return the id of a lake; the first who asks gives it one."""
    with contextlib.suppress(LakeObjectExistsError):
        if lake.find(keys.IDENTITY) is None:
            content = json.dumps({"id": uuid4().hex}).encode()
            lake.put(keys.IDENTITY, content, mode="create")
    return str(json.loads(lake.get(keys.IDENTITY))["id"])


def replace_table(
    connection: duckdb.DuckDBPyConnection, schema: str, table: str, rows: pl.DataFrame
) -> None:
    """Replace the rows of one of the fixed tables, columns matched by name.

    Args:
        connection: inside a transaction, so that readers of the file see all or nothing.
        schema: of the table.
        table: one of `schema.sql`.
        rows: the new content; times are UTC.
    """
    target = connection.table(f"{schema}.{table}")
    relation = connection.from_arrow(rows.to_arrow())
    names = ", ".join(f'"{name}"' for name in target.columns)
    connection.execute(f'delete from "{schema}"."{table}"')  # noqa: S608 - names of our own schema
    relation.project(names).insert_into(f"{schema}.{table}")


def replace_tables(
    connection: duckdb.DuckDBPyConnection, tables: Mapping[tuple[str, str], pl.DataFrame]
) -> None:
    """Replace several fixed tables at once, all or none."""
    with transaction(connection):
        for (schema, table), rows in tables.items():
            replace_table(connection, schema, table, rows)


def basis_of(lake: Lake, definitions: str) -> str:
    """Return what the tables of a warehouse come from: a lake, as erased, and what builds them."""
    return f"{lake_as_erased(lake)} {definitions}"


def lake_as_erased(lake: Lake) -> str:
    """Return the id of a lake; another one after each erasure."""
    through = erased_through(lake)
    return f"{lake_identity(lake)} erased:{through}" if through else lake_identity(lake)


def _progress_on(path: Path, basis: str) -> tuple[int, int]:
    """Return the newest batch that a warehouse on this basis began, and completed; else 0."""
    if not path.exists():
        return 0, 0
    try:
        with open_warehouse(path) as connection:
            found, begun, done = single_row(
                connection, "select basis, staged_through, completed_through from pipeline.state"
            )
            return (int(begun), int(done)) if found == basis else (0, 0)
    except (duckdb.BinderException, duckdb.CatalogException):
        # Its fixed tables have another shape: an earlier release made it.
        return 0, 0


def _next_run(lake: Lake, pending: list[int], begun: int, rows: int) -> list[BatchManifest]:
    """Return those of the pending batches that a run takes in: the first ones, in their order.

    No others are read: of a long backlog each run would read all that are left.
    """
    unfinished = [sequence for sequence in pending if sequence <= begun]
    if unfinished:
        return [read_manifest(lake, sequence) for sequence in unfinished]
    manifests: list[BatchManifest] = []
    clean = 0
    for sequence in pending:
        manifest = read_manifest(lake, sequence)
        clean += manifest.clean
        if manifests and clean > rows:
            break
        manifests.append(manifest)
    return manifests


def _load_manifests(
    connection: duckdb.DuckDBPyConnection, manifests: list[BatchManifest], copies: LocalCopies
) -> None:
    connection.execute("delete from lake.clean_events")
    for manifest in manifests:
        # A run that died may have left the rows of this batch behind.
        connection.execute(
            "delete from lake.quarantined_events where batch_sequence = ?", [manifest.sequence]
        )
        if manifest.is_reprocessing:
            for table in ("clean_events", "quarantined_events"):
                connection.execute(
                    f"delete from lake.{table} "  # noqa: S608 - one of two names
                    "where raw_object in (select unnest(?::varchar[]))",
                    [manifest.raw_objects],
                )
        for table, objects in (
            ("clean_events", manifest.clean_objects),
            ("quarantined_events", manifest.quarantine_objects),
        ):
            if objects:
                connection.execute(
                    f"insert into lake.{table} by name "
                    "from read_parquet(?, hive_partitioning = false)",
                    [copies.paths(objects)],
                )


def _staged_rows(connection: duckdb.DuckDBPyConnection, done: int) -> tuple[int, int]:
    clean, quarantined = single_row(
        connection,
        """
        select
            (select count(*) from lake.clean_events),
            (select count(*) from lake.quarantined_events where batch_sequence > ?)
        """,
        [done],
    )
    return int(clean), int(quarantined)


def remove_warehouse(path: Path) -> None:
    """Delete the warehouse; everything in it comes from the lake."""
    for suffix in ("", ".wal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    # What a run that died did not have room for in memory.
    shutil.rmtree(path.with_name(f"{path.name}.tmp"), ignore_errors=True)
