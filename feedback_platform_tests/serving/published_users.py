"""A published database with nothing in it but segments, what users said, and what they allow."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC
from pathlib import Path
from uuid import uuid4

import duckdb
import polars as pl

from feedback_platform.privacy.preferences import Preferences
from feedback_platform.privacy.preferences_log import PreferencesEntry
from feedback_platform.warehouse.published_database import PublishedState, write_database
from feedback_platform.warehouse.published_files import PublishedFile, PublishedTable

_TABLES = (
    PublishedTable("interaction", "interactions", time="occurred_at"),
    PublishedTable("interaction", "user_preferences", key=("user_id",)),
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
    """Put a publication in place as the pipeline does: files first, then a rename.

    Args:
        path: of the published database.
        segments: the name of each user's.
        opted_out: who switched personalisation off.
        said: what others have said, the oldest first.
    """
    segments = segments or {}
    names = sorted(set(segments.values()))
    allowed = {user: Preferences(is_personalised=False) for user in opted_out}
    for entry in said:
        before = allowed.get(entry.user_id, Preferences())
        allowed[entry.user_id] = entry.change.applied_to(before)
    frames = [
        pl.DataFrame(
            [
                {
                    "event_id": entry.event_id,
                    "event_type": "consent_changed",
                    "user_id": entry.user_id,
                    "is_identified": True,
                    "occurred_at": entry.said_at.astimezone(UTC).replace(tzinfo=None),
                    "properties": json.dumps(entry.change.content),
                }
                for entry in said
            ],
            schema={
                "event_id": pl.String,
                "event_type": pl.String,
                "user_id": pl.String,
                "anonymous_id": pl.String,
                "is_identified": pl.Boolean,
                "occurred_at": pl.Datetime("us"),
                "properties": pl.String,
                "experiment_id": pl.String,
                "variant": pl.String,
            },
        ),
        pl.DataFrame(
            [
                (user, each.is_personalised, each.allows_research, sorted(each.signals_off))
                for user, each in allowed.items()
            ],
            schema={
                "user_id": pl.String,
                "personalisation": pl.Boolean,
                "research": pl.Boolean,
                "signals_off": pl.List(pl.String),
            },
            orient="row",
        ),
        pl.DataFrame(
            [(user, names.index(name)) for user, name in segments.items()],
            schema={"user_id": pl.String, "segment_id": pl.Int32},
            orient="row",
        ),
        pl.DataFrame(
            {
                "segment_id": range(len(names)),
                "name": names,
                "users": [1] * len(names),
                "top_preferences": [["film"]] * len(names),
            },
            schema={
                "segment_id": pl.Int64,
                "name": pl.String,
                "users": pl.Int64,
                "top_preferences": pl.List(pl.String),
            },
        ),
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
    write_database(made, directory, _TABLES, state, rows, {})
    with duckdb.connect(made) as connection:
        connection.execute("checkpoint")
    os.replace(made, path)  # noqa: PTH105 - a rename, as in the pipeline
