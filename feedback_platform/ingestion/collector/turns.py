"""Work that takes the processor for long: a little of it at a time, beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from feedback_platform.ingestion.collector.limits import Limits
from feedback_platform.ingestion.collector.refusals import RequestRefusedError

_AT_ONCE: Final = 2
_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


class Turns:
    """Gives each piece of work its turn; whose turn does not come in time is told to come again."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def run(
        self, work: Callable[_Given, _Result], *arguments: _Given.args, **options: _Given.kwargs
    ) -> _Result:
        """Return what the work returns, done in a thread.

        Raises:
            RequestRefusedError: too much other work stands before it (503).
        """
        try:
            async with asyncio.timeout(self._limits.wait_seconds):
                await self._free.acquire()
        except TimeoutError as error:
            text = "Too many batches are being taken apart; send the events again."
            retry_after = self._limits.retry_after_seconds
            raise RequestRefusedError.for_now(text, retry_after) from error
        try:
            return await asyncio.to_thread(work, *arguments, **options)
        finally:
            self._free.release()
