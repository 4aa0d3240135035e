"""A published database with nothing in it but who is in which segment and who opted out."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import duckdb
import polars as pl

from feedback_platform.privacy.preferences_log import PreferencesEntry
from feedback_platform.warehouse.published_database import PublishedState, write_database
from feedback_platform.warehouse.published_files import PublishedFile, PublishedTable

_TABLES = (
    PublishedTable("interaction", "interactions", time="occurred_at"),
    PublishedTable("ml", "user_segments"),
    PublishedTable("ml", "segment_profiles"),
)


def publish_users(
    path: Path,
    *,
    segments: Mapping[str, str] | None = None,
    opted_out: Sequence[str] = (),
    said: Sequence[PreferencesEntry] = (),
) -> None:
    """Put a publication in place as the pipeline does: files first, then a rename."""
    segments = segments or {}
    names = sorted(set(segments.values()))
    consents = [
        {
            "event_id": user,
            "event_type": "consent_changed",
            "user_id": user,
            "occurred_at": datetime(2026, 3, 1),  # noqa: DTZ001 - the warehouse's times are naive
            "properties": json.dumps({"personalisation": False}),
        }
        for user in opted_out
    ]
    consents += [
        {
            "event_id": entry.event_id,
            "event_type": "consent_changed",
            "user_id": entry.user_id,
            "occurred_at": entry.said_at.astimezone(UTC).replace(tzinfo=None),
            "properties": json.dumps(entry.change.content),
        }
        for entry in said
    ]
    frames = [
        pl.DataFrame(
            consents,
            schema={
                "event_id": pl.String,
                "event_type": pl.String,
                "user_id": pl.String,
                "occurred_at": pl.Datetime("us"),
                "properties": pl.String,
            },
        ),
        pl.DataFrame(
            [(user, names.index(name)) for user, name in segments.items()],
            schema={"user_id": pl.String, "segment_id": pl.Int32},
            orient="row",
        ),
        pl.DataFrame({"segment_id": range(len(names)), "name": names}),
    ]
    directory = path.parent / "tables"
    directory.mkdir(parents=True, exist_ok=True)
    files = []
    for table, frame in zip(_TABLES, frames, strict=True):
        name = f"{table.qualified}-all-{uuid4().hex}.parquet"
        frame.write_parquet(directory / name)
        files.append(PublishedFile(table.qualified, "all", name, frame.height))
    made = path.with_name(f"{uuid4().hex}.duckdb")
    state = PublishedState(1, files)
    rows = {file.table: file.rows for file in files}
    write_database(made, directory, _TABLES, state, rows, ())
    with duckdb.connect(made) as connection:
        connection.execute("checkpoint")
    os.replace(made, path)  # noqa: PTH105 - a rename, as in the pipeline
