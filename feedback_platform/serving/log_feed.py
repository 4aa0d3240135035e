"""What a log in the lake comes to, in the memory of a serving process, kept up to date."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Generic, Protocol, TypeVar

from feedback_platform.errors import FeedbackPlatformError
from feedback_platform.lake.daemon_threads import DaemonThreads
from feedback_platform.serving.regular_look import RegularLook

_log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0
# A start waits so long for the first look; events do not depend on it.
_FIRST_LOOK_SECONDS: Final = 3.0
# For a client that knows of a change which this process has not seen yet.
_CATCH_UP_SECONDS: Final = 2.0
# However many of those ask, the store is asked so often.
_SHORTEST_PAUSE_SECONDS: Final = 0.05


class State(Protocol):
    """What the log comes to at a position."""

    @property
    def position(self) -> int:
        """Of the newest entry in it."""
        ...

    @property
    def problems(self) -> tuple[str, ...]:
        """Entries that could not be read, and do not count."""
        ...


_State = TypeVar("_State", bound=State)


class LogFeed(Generic[_State]):
    """Looks for new entries about once a second; requests read what is there.

    When the store fails, or an entry is damaged, the last good state goes on.

    Attributes:
        current: what is known; None as long as nothing was read.
        changed_at: when the position moved last, by the event loop's clock.
        read_at: when the log was read last, by the clock on the wall, for people.
    """

    def __init__(
        self,
        refresh: Callable[[], _State],
        *,
        what: str,
        entry: str,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        """Prepare to look.

        Args:
            refresh: returns the newest state; it is called on a thread.
            what: is looked at, for the log: the beginning of a sentence.
            entry: what one of its entries is, for the log, likewise.
            look_seconds: between two looks.
        """
        self._refresh = refresh
        self._what = what
        self._entry = entry
        self._thread = DaemonThreads(what.rpartition(" ")[2])
        self._look: asyncio.Task[None] | None = None
        self._looking = RegularLook(
            self._look_again, what, seconds=look_seconds, first_seconds=_FIRST_LOOK_SECONDS
        )
        self._is_failing = False
        self._next_look_at = 0.0
        self._listeners: list[Callable[[], None]] = []
        self.current: _State | None = None
        self.changed_at = -math.inf
        self.read_at: float | None = None

    async def start(self) -> None:
        """Read what there is, and begin to look for changes."""
        await self._looking.start()

    async def stop(self) -> None:
        """Look no longer."""
        await self._looking.stop()

    async def reach(self, position: int) -> None:
        """Wait, not for long, until what is known is as new as a client says that it is.

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

    def tell(self, listener: Callable[[], None]) -> None:
        """Call a listener, on the event loop, whenever there is something new."""
        self._listeners.append(listener)

    def _newest_look(self) -> asyncio.Task[None]:
        """Return the look that is under way, or begin one."""
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._take_over())
        return self._look

    async def _look_again(self) -> None:
        # Whoever waits for something newer may wait for the same look.
        await asyncio.shield(self._newest_look())

    async def _take_over(self) -> None:
        await asyncio.sleep(self._next_look_at - asyncio.get_running_loop().time())
        before = self.current
        try:
            found = await self._thread.run(self._refresh)
        except FeedbackPlatformError as error:
            if not self._is_failing:
                _log.warning("%s cannot be read; the last ones go on: %s", self._what, error)
            self._is_failing = True
        except Exception:  # noqa: BLE001 - logged; the next look has to come all the same
            _log.exception("%s cannot be read; the last ones go on.", self._what)
        else:
            # Whoever asked while the first look failed was answered without what it finds.
            is_news = self._is_failing if before is None else before.position != found.position
            self._is_failing = False
            self.read_at = time.time()
            self._note(before, found, is_news=is_news)
        self._next_look_at = asyncio.get_running_loop().time() + _SHORTEST_PAUSE_SECONDS

    def _note(self, before: _State | None, found: _State, *, is_news: bool) -> None:
        for problem in found.problems[len(before.problems) if before else 0 :]:
            _log.warning("%s does not count: %s.", self._entry, problem.rstrip("."))
        self.current = found
        if is_news:
            self.changed_at = asyncio.get_running_loop().time()
            for listener in self._listeners:
                listener()
