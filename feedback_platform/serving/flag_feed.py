"""The flags in the memory of a serving process, kept up to date beside the requests."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from contextlib import suppress
from typing import Final

from feedback_platform.adjustment.flags.flag_set import FlagSet
from feedback_platform.adjustment.flags.flags import Flags
from feedback_platform.errors import FeedbackPlatformError
from feedback_platform.lake.daemon_threads import DaemonThreads
from feedback_platform.serving.regular_look import RegularLook

_log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0
# A start waits so long for the flags; events do not depend on them.
_FIRST_LOOK_SECONDS: Final = 3.0
# For a client that knows of a change which this process has not seen yet.
_CATCH_UP_SECONDS: Final = 2.0
# However many of those ask, the store is asked so often.
_SHORTEST_PAUSE_SECONDS: Final = 0.05


class FlagFeed:
    """Looks for changes about once a second; requests read what is there.

    When the store fails, or an entry is damaged, the last good state goes on.
    """

    def __init__(self, flags: Flags, *, look_seconds: float = LOOK_SECONDS) -> None:
        self._flags = flags
        self._thread = DaemonThreads("flags")
        self._look: asyncio.Task[None] | None = None
        self._looking = RegularLook(
            self._look_again,
            "The flags",
            seconds=look_seconds,
            first_seconds=_FIRST_LOOK_SECONDS,
        )
        self._is_failing = False
        self._next_look_at = 0.0
        self._changed = asyncio.Event()
        self.current: FlagSet | None = None
        self.changed_at = -math.inf
        # By the clock on the wall, for people.
        self.read_at: float | None = None

    async def start(self) -> None:
        """Read the flags, and begin to look for changes."""
        await self._looking.start()

    async def stop(self) -> None:
        """Look no longer."""
        await self._looking.stop()

    async def reach(self, position: int) -> None:
        """Wait, not for long, until the flags are at least as new as a client says that they are.

        Of several processes one may have told a client of a change that another has not seen.
        """
        if self.current is None or self.current.position >= position:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(_CATCH_UP_SECONDS):
                # One that was under way may have looked before the change.
                for _ in range(2):
                    await asyncio.shield(self._newest_look())
                    if self.current.position >= position:
                        return

    async def next_change(self) -> None:
        """Wait until there are other flags."""
        await self._changed.wait()

    def _newest_look(self) -> asyncio.Task[None]:
        """Return the look that is under way, or begin one."""
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._take_over())
        return self._look

    async def _look_again(self) -> None:
        # Whoever waits for the flags to be newer may wait for the same look.
        await asyncio.shield(self._newest_look())

    async def _take_over(self) -> None:
        await asyncio.sleep(self._next_look_at - asyncio.get_running_loop().time())
        before = self.current
        try:
            found = await self._thread.run(self._flags.refresh)
        except FeedbackPlatformError as error:
            if not self._is_failing:
                _log.warning("The flags cannot be read; the last ones go on: %s", error)
            self._is_failing = True
        except Exception:  # noqa: BLE001 - logged; the flags have to go on all the same
            _log.exception("The flags cannot be read; the last ones go on.")
        else:
            self._is_failing = False
            self.read_at = time.time()
            self._note(before, found)
        self._next_look_at = asyncio.get_running_loop().time() + _SHORTEST_PAUSE_SECONDS

    def _note(self, before: FlagSet | None, found: FlagSet) -> None:
        for problem in found.problems[len(before.problems) if before else 0 :]:
            _log.warning("A change of flags does not count: %s.", problem.rstrip("."))
        self.current = found
        if before is not None and before.position != found.position:
            self.changed_at = asyncio.get_running_loop().time()
            # Whoever waits is woken; who comes later waits for the next change.
            self._changed.set()
            self._changed = asyncio.Event()
