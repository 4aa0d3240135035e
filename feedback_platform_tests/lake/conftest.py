from __future__ import annotations

from pathlib import Path

import pytest

from feedback_platform.lake.store import Lake


@pytest.fixture(params=["directory", "s3"])
def any_lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    """Each kind of lake in turn: one suite says what a lake is."""
    if request.param == "s3":
        url: str = request.getfixturevalue("s3_lake_url")
        return Lake(url)
    return Lake((tmp_path / "any lake").as_uri())


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake((tmp_path / "lake").as_uri())
