"""A platform in a directory, driven by the real functions, small enough for a test."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from feedback_platform.cleaning.configuration import CleaningRules, default_rules
from feedback_platform.cleaning.micro_batch import clean_pending
from feedback_platform.cleaning.reference import ALL_DEVICES, BEGINNING, Reference, SignalStatistics
from feedback_platform.lake import keys
from feedback_platform.lake.batches import BatchManifest, Ledger, pending_objects
from feedback_platform.lake.raw import write_raw_object
from feedback_platform.lake.store import Lake
from feedback_platform.warehouse.connection import exclusive_warehouse, open_warehouse
from feedback_platform.warehouse.increments import build_tables
from feedback_platform.warehouse.loading import (
    RUN_ROWS,
    StagedBatches,
    replace_tables,
    stage_batches,
)
from feedback_platform.warehouse.publishing import TABLES, Publication, publish
from feedback_platform.warehouse.transformation import DbtProject

RECEIVED = datetime(2026, 3, 2, 12, tzinfo=UTC)

# Views and uses last e^4 - 1, about 54 ms, give or take; both signals are on a logarithmic scale.
REFERENCE = Reference(
    "by-hand",
    BEGINNING,
    100,
    tuple(
        SignalStatistics(signal, ALL_DEVICES, 100, 4.0, 4.0, 3.0, 5.0, 4.0, 1.0, 2.0, 6.0)
        for signal in ("view", "use")
    ),
)

Row = tuple[Any, ...]


def event(event_id: str, event_type: str, **fields: Any) -> dict[str, Any]:
    """An event of user u1, on 1 March 2026 at noon unless told otherwise."""
    defaults = {"user_id": "u1", "occurred_at": "2026-03-01T12:00:00Z"}
    return {"event_id": event_id, "event_type": event_type} | defaults | fields


@dataclass
class SmallPlatform:
    directory: Path
    project: DbtProject
    lake: Lake
    reference: Reference = REFERENCE
    # What learning and the rules keep in the lake: a warehouse that is built anew gets it first.
    kept: Mapping[tuple[str, str], pl.DataFrame] = field(default_factory=dict)

    @classmethod
    def at(
        cls, directory: Path, project: DbtProject, reference: Reference = REFERENCE
    ) -> SmallPlatform:
        return cls(directory, project, Lake((directory / "lake").as_uri()), reference)

    @property
    def warehouse(self) -> Path:
        return self.directory / "warehouse" / "warehouse.duckdb"

    @property
    def published(self) -> Path:
        return self.directory / "published" / "feedback.duckdb"

    def land(
        self, *events: dict[str, Any] | bytes, received_at: datetime = RECEIVED, object_id: str
    ) -> str:
        """Write events into one raw object; bytes are a line as it is."""
        lines = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in events]
        return write_raw_object(
            self.lake,
            received_at=received_at,
            source="web",
            sortable_id=object_id,
            ndjson=b"\n".join(lines) + b"\n",
        )

    def clean(
        self, raw_objects: Sequence[str] | None = None, *, rules: CleaningRules | None = None
    ) -> list[BatchManifest]:
        """Clean some objects, or all that are pending, by the rules that ship or by others."""
        ledger = Ledger.opened(self.lake)
        chosen = pending_objects(self.lake, is_sweep=True) if raw_objects is None else raw_objects
        applied = rules or default_rules()
        return clean_pending(self.lake, sorted(chosen), applied, [self.reference], ledger=ledger)

    def reprocess(self, *raw_objects: str) -> None:
        """Clean objects again, in place of what was made of them."""
        clean_pending(
            self.lake,
            sorted(raw_objects),
            default_rules(),
            [self.reference],
            ledger=Ledger.opened(self.lake),
            is_reprocessing=True,
        )

    def rewrite(self, raw_object: str, *lines: dict[str, Any] | bytes) -> None:
        """Let an object say something else, as a corrected mapping does."""
        self.lake.delete([raw_object])
        object_id = raw_object.rpartition("-")[2].partition(".")[0]
        received_at = keys.hour_of(raw_object)
        assert self.land(*lines, received_at=received_at, object_id=object_id) == raw_object

    def stage(self, *, rows: int = RUN_ROWS) -> StagedBatches:
        with exclusive_warehouse(self.warehouse) as path:
            staged = stage_batches(path, self.lake, self.directory / "cache", rows=rows)
        if staged.is_rebuild:
            self.keep(self.kept)
        return staged

    def keep(self, tables: Mapping[tuple[str, str], pl.DataFrame]) -> None:
        """Load what learning or the rules have decided."""
        self.kept = {**self.kept, **tables}
        with open_warehouse(self.warehouse) as connection:
            replace_tables(connection, tables)

    def run(self, models: Sequence[str] | None = None) -> None:
        self.project.warehouse_path = self.warehouse
        self.project.run(models)

    def transform(self, *, rows: int = RUN_ROWS) -> None:
        """Everything that is clean, through all models, in runs of so many rows."""
        remaining = 1
        while remaining:
            staged = self.stage(rows=rows)
            self.project.warehouse_path = self.warehouse
            build_tables(self.project, staged, self.project.fingerprint())
            remaining = staged.remaining

    def publish(self) -> Publication:
        return publish(self.warehouse, self.published, self.lake)

    def process(self) -> Publication:
        """Everything that has landed, through to the published tables."""
        self.clean()
        self.transform()
        return self.publish()

    def rebuilt(self, name: str = "rebuilt") -> SmallPlatform:
        """A second warehouse, in one go from the same lake."""
        other = SmallPlatform(
            self.directory / name, self.project, self.lake, self.reference, self.kept
        )
        other.transform()
        return other

    def copy_to(self, directory: Path) -> SmallPlatform:
        """Another platform in the same state; what is published names files by their place."""
        assert not self.published.exists()
        shutil.copytree(self.directory, directory)
        return SmallPlatform.at(directory, self.project, self.reference)

    def seen_now(self, directory: Path) -> SmallPlatform:
        """What readers see at the moment, to be queried later: its files stay for an hour."""
        seen = replace(self, directory=directory)
        seen.published.parent.mkdir(parents=True)
        shutil.copy(self.published, seen.published)
        return seen

    def query(self, sql: str, parameters: list[Any] | None = None) -> list[Row]:
        """Rows of a query over the published database, as any reader sees them."""
        with duckdb.connect(self.published, read_only=True) as connection:
            return connection.execute(sql, parameters or []).fetchall()

    def records(self, sql: str, parameters: list[Any] | None = None) -> list[dict[str, Any]]:
        """The same, each row with the names of its columns."""
        with duckdb.connect(self.published, read_only=True) as connection:
            relation = connection.sql(sql, params=parameters or [])
            return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]

    def tables(self) -> dict[str, list[Row]]:
        """All rows that readers see, sorted, but for the number of the batch that brought them."""
        return self._rows_of(self.published)

    def stored(self) -> dict[str, list[Row]]:
        """The same rows as they lie in the warehouse, published or not."""
        return self._rows_of(self.warehouse)

    def _rows_of(self, database: Path) -> dict[str, list[Row]]:
        with duckdb.connect(database, read_only=True) as connection:
            found = {}
            for table in TABLES:
                relation = connection.sql(f"from {table.qualified} {table.taking_part}")
                hidden = {"batch_sequence", *table.internal}
                shown = [f'"{name}"' for name in relation.columns if name not in hidden]
                found[table.qualified] = sorted(
                    relation.project(", ".join(shown)).fetchall(), key=repr
                )
            return found
