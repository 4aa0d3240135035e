"""Copies of the published files in a remote lake, for those who do not reach this machine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform.warehouse.published_database import files_by_table
from feedback_platform.warehouse.published_files import PublishedFile, PublishedTable


def copy_to_lake(
    lake: Lake,
    directory: Path,
    tables: Sequence[PublishedTable],
    files: list[PublishedFile],
    outgoing: list[PublishedFile],
) -> None:
    """Keep a copy of the published files in a remote lake, and of the state before, no more.

    Args:
        lake: a local one needs no copies.
        directory: where the files lie.
        tables: what is published.
        files: those of the new state.
        outgoing: those of the state before.
    """
    if lake.directory is not None:
        return
    stored = set(lake.list_keys(keys.PUBLISHED))
    for file in files:
        key = keys.published_file(file.name)
        if key not in stored:
            lake.put(key, (directory / file.name).read_bytes(), mode="overwrite")
    pointer = json.dumps(contents(tables, files)).encode()
    lake.put(keys.published_current(), pointer, mode="overwrite")
    wanted = {keys.published_file(file.name) for file in [*files, *outgoing]}
    lake.delete(sorted(stored - wanted - {keys.published_current()}))


def contents(
    tables: Sequence[PublishedTable], files: list[PublishedFile]
) -> dict[str, dict[str, list[str]]]:
    """Return of what files each table consists; docs/publishing.md says how they are read.

    Of each table: `files`, whose rows it has; and for one with a key, `layers` on top of them, the
    oldest first, and that `key`.
    """
    found = files_by_table(files)
    described = {}
    for table in tables:
        names = [file.name for file in found[table.qualified]]
        bases = 1 if table.key else len(names)
        described[table.qualified] = {
            "files": names[:bases],
            "layers": names[bases:],
            "key": list(table.key),
        }
    return described
