"""What most tests' platforms publish first is what the product publishes first."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from feedback_platform.warehouse import publishing
from feedback_platform.warehouse.published_database import write_database
from feedback_platform.warehouse.transformation import DbtProject
from feedback_platform_tests.publishing_shortcuts import macros_bound_once
from feedback_platform_tests.warehouse.definitions import definitions
from feedback_platform_tests.warehouse.small_platform import SmallPlatform, event


def published(directory: Path, project: DbtProject, item: str) -> SmallPlatform:
    platform = SmallPlatform.at(directory, project)
    platform.land(event("e1", "item_liked", item_id=item), object_id="1")
    platform.process()
    return platform


def defined(platform: SmallPlatform) -> str:
    """Everything a reader finds; Parquet files have names of their own, in a place of their own."""
    files = {path.name for path in platform.published.parent.glob("tables/*.parquet")}
    with duckdb.connect(platform.published, read_only=True) as connection:
        text = repr(definitions(connection))
    for number, name in enumerate(sorted(files, key=text.find)):
        text = text.replace(name, f"file {number}")
    return text.replace(str(platform.directory), "")


def test_a_database_that_begins_with_anothers_is_as_if_it_had_begun_empty(
    project: DbtProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with macros_bound_once(tmp_path / "first.duckdb"):
        published(tmp_path / "before", project, "i1")
        shortened = published(tmp_path / "shortened", project, "i2")
    monkeypatch.setattr(publishing, "write_database", write_database)
    whole = published(tmp_path / "whole", project, "i2")

    assert defined(shortened) == defined(whole)
    assert shortened.tables() == whole.tables()
    assert "as_of" in defined(whole)
