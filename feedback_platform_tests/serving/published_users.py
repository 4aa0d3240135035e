"""A published database with nothing in it but who is in which segment and who opted out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import uuid4

import duckdb
import polars as pl

from feedback_platform.warehouse.published_database import PublishedState, write_database
from feedback_platform.warehouse.published_files import PublishedFile, PublishedTable

_TABLES = (
    PublishedTable("interaction", "user_preferences", key=("user_id",)),
    PublishedTable("ml", "user_segments"),
    PublishedTable("ml", "segment_profiles"),
)


def publish_users(path: Path, *, segments: Mapping[str, str], opted_out: Sequence[str]) -> None:
    """Put a publication in place as the pipeline does: files first, then a rename."""
    names = sorted(set(segments.values()))
    frames = [
        pl.DataFrame(
            [(user, False, True, []) for user in opted_out],
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
