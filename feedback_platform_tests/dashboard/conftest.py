from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _main_module() -> Iterator[None]:
    """Give the name `__main__` back: Streamlit has it mean the page, also for new processes."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main
