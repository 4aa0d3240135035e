"""Calls of the lake for one request: on threads, with an end, and a refusal where they fail."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final, TypeVar

from feedback_platform.errors import (
    LakeAccessError,
    TransientError,
)
from feedback_platform.ingestion.collector.refusals import RequestRefusedError
from feedback_platform.lake.daemon_threads import DaemonThreads

_log = logging.getLogger(__name__)

# As long as a sender of events is waited for.
_WAIT_SECONDS: Final = 8.0
_THREADS: Final = 4
_RETRY_AFTER_SECONDS: Final = 2
_Result = TypeVar("_Result")


class StoreCalls:
    """Some threads that requests share."""

    def __init__(self, name: str, *, wait_seconds: float = _WAIT_SECONDS) -> None:
        self._threads = DaemonThreads(name, most=_THREADS)
        self._wait_seconds = wait_seconds

    async def run(self, call: Callable[[], _Result]) -> _Result:
        """Return what a call returns.

        Raises:
            RequestRefusedError: the store failed or did not answer in time (503). What was asked of
                it may be done all the same.
        """
        try:
            async with asyncio.timeout(self._wait_seconds):
                return await self._threads.run(call)
        except TimeoutError as error:
            raise _for_now("The store does not answer in time; try again.") from error
        except (TransientError, LakeAccessError) as error:
            _log.error("A request of a user is turned away: %s", error)
            raise _for_now("The store failed; try again.") from error


def _for_now(text: str) -> RequestRefusedError:
    return RequestRefusedError.for_now(text, _RETRY_AFTER_SECONDS)
