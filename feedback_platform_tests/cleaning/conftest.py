from __future__ import annotations

from pathlib import Path

import pytest

from feedback_platform.lake.store import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake((tmp_path / "lake").as_uri())
