from __future__ import annotations

import os
from pathlib import Path

import pytest

from feedback_platform.settings import PROJECT_DIR


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real data sets; a machine without them skips, but CI may not."""
    default = PROJECT_DIR.parent / "shared" / "data"
    path = Path(os.environ.get("FEEDBACK_SHARED_DATA") or default)
    if not path.is_dir():
        message = f"{path} does not exist; FEEDBACK_SHARED_DATA must name the real data sets"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return path
