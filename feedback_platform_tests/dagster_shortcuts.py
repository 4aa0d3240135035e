"""The shortcuts of a server's processes, in a process of tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def shortcuts_taken() -> Iterator[None]:
    """Let Dagster take them in this process."""
    from feedback_platform.orchestration.shortcuts import take_shortcuts

    with pytest.MonkeyPatch.context() as patch:
        take_shortcuts(patch.setattr)
        yield
