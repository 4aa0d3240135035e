"""Looking for news time and again, beside the requests that are answered from what was found."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

_log = logging.getLogger(__name__)


class RegularLook:
    """Calls a look at the start, and then again and again until it is stopped."""

    def __init__(
        self,
        look: Callable[[], Awaitable[None]],
        what: str,
        *,
        seconds: float,
        first_seconds: float,
    ) -> None:
        """Prepare to look.

        Args:
            look: finds out what is new, and takes it over.
            what: is looked at, for the log: the beginning of a sentence.
            seconds: between two looks.
            first_seconds: so long a start waits for the first look, which then goes on by itself.
        """
        self._look = look
        self._what = what
        self._seconds = seconds
        self._first_seconds = first_seconds
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Look once, and begin to look regularly."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._first_seconds):
                await asyncio.shield(self._look())
        self._task = asyncio.create_task(self._look_on())

    async def stop(self) -> None:
        """Look no longer."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _look_on(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            try:
                await self._look()
            except Exception:  # noqa: BLE001 - logged; the requests go on with what is known
                _log.exception("%s cannot be read; the last ones go on.", self._what)
