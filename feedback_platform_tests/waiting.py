"""Waiting for what another thread or process does in its own time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


def until(is_so: Callable[[], bool], *, seconds: float = 30.0) -> None:
    """Return when something is so; fail when it takes too long."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


async def comes_true(is_so: Callable[[], bool], *, seconds: float = 30.0) -> None:
    """The same in an event loop, which goes on meanwhile."""
    async with asyncio.timeout(seconds):
        while True:
            if is_so():
                return
            await asyncio.sleep(0.005)
