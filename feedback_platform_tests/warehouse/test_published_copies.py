from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform.warehouse import layered
from feedback_platform.warehouse.published_copies import copy_to_lake
from feedback_platform.warehouse.published_files import PublishedFile
from feedback_platform_tests.warehouse.keyed_warehouse import KEYS, SCORES, KeyedWarehouse


def _read(lake: Lake, table: str, directory: Path) -> list[dict[str, Any]]:
    """The rows of a table, by what docs/publishing.md says, from the copies alone."""
    parts = json.loads(lake.get(keys.published_current()))[table]
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for name in [*parts["files"], *parts["layers"]]:
        copy = directory / name
        copy.write_bytes(lake.get(keys.published_file(name)))
        for row in duckdb.read_parquet(str(copy)).pl().to_dicts():
            key = tuple(row[column] for column in parts["key"])
            rows.pop(key, None)
            if not row.pop("is_gone", False):
                rows[key] = row
    return sorted(rows.values(), key=repr)


def test_a_table_with_layers_can_be_read_from_the_copies_in_a_remote_lake(
    tmp_path: Path, s3_lake_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layered, "SMALL_ROWS", 0)
    monkeypatch.setattr(layered, "SHARE_OF_BASE", 1)
    warehouse, lake = KeyedWarehouse(tmp_path), Lake(s3_lake_url)
    warehouse.change(KEYS)
    warehouse.publish()
    warehouse.change(KEYS[:5], gone=[KEYS[3]])
    warehouse.publish()
    outgoing = warehouse.files
    warehouse.change([KEYS[3]], gone=[KEYS[4]])
    warehouse.publish()
    assert len(warehouse.files) == 3
    copy_to_lake(lake, tmp_path, [SCORES], warehouse.files, outgoing)

    stored = warehouse.stored().pl().to_dicts()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert _read(lake, "feedback.feedback_scores", elsewhere) == sorted(stored, key=repr)


def test_copies_of_the_state_before_the_last_are_deleted(tmp_path: Path, s3_lake_url: str) -> None:
    warehouse, lake = KeyedWarehouse(tmp_path), Lake(s3_lake_url)
    states: list[list[PublishedFile]] = [[]]
    for _ in range(3):
        warehouse.change(KEYS)
        warehouse.publish()
        copy_to_lake(lake, tmp_path, [SCORES], warehouse.files, states[-1])
        states.append(warehouse.files)

    expected = [keys.published_file(file.name) for files in states[-2:] for file in files]
    assert sorted(lake.list_keys(keys.PUBLISHED)) == sorted([*expected, keys.published_current()])
