"""The newest lists in the memory of a serving process, exchanged whole, between two requests."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from feedback_platform.errors import FeedbackPlatformError, InvalidInputError
from feedback_platform.lake.daemon_threads import DaemonThreads
from feedback_platform.lake.store import Lake
from feedback_platform.learning.online.publication import (
    ListsPointer,
    local_lists,
    pointed_lists,
)
from feedback_platform.learning.online.records import SessionEvent
from feedback_platform.serving.regular_look import RegularLook

if TYPE_CHECKING:
    from feedback_platform.learning.online.online_lists import OnlineLists

_log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 1.0
# A start waits so long; events and flags do not depend on lists.
_FIRST_LOOK_SECONDS: Final = 5.0
# So long a process that has just started tells nobody that it is ready while it cannot say which
# lists there are: after that, events and flags are better than nothing.
_LONGEST_AWAITED: Final = 60.0
# A damaged file is tried again after so long, twice as long each time, up to a minute.
_RETRY_SECONDS: Final = 1.0
_MOST_DOUBLINGS: Final = 6


class _News(NamedTuple):
    """What a look has found.

    Attributes:
        files: key → lists, of all that could be read.
        current: the key of the champion's; None where none are published.
        problem: why not all of them could be.
        is_damaged: whether that hardly mends itself.
    """

    files: Mapping[str, OnlineLists]
    current: str | None
    problem: str = ""
    is_damaged: bool = False


class PublishedLists:
    """Looks for new lists about once a second, in a thread; requests read what is there.

    While the champion's new ones cannot be read, the last good ones go on, all of them. They end
    only when the lake says that there are none any more.

    Attributes:
        current: the champion's lists, None where none were made yet or none could be read.
        by_version: all lists that count, by the version of the model that has made them.
    """

    def __init__(
        self,
        lake: Lake,
        cache: Path,
        *,
        look_seconds: float = _LOOK_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare to look.

        Args:
            lake: where they are published; on this machine they are mapped where they lie.
            cache: for copies of others.
            look_seconds: between two looks.
            clock: seconds.
        """
        self._lake = lake
        self._cache = cache
        self._clock = clock
        self._thread = DaemonThreads("lists")
        self._files: Mapping[str, OnlineLists] = {}
        self._failed: str | None = None
        self._failures = 0
        self._again_at = -math.inf
        self._tried: ListsPointer | None = None
        self._awaited_until = clock() + _LONGEST_AWAITED
        self._looking = RegularLook(
            self.look, "The lists", seconds=look_seconds, first_seconds=_FIRST_LOOK_SECONDS
        )
        self.current: OnlineLists | None = None
        self.by_version: Mapping[str, OnlineLists] = {}

    @property
    def are_awaited(self) -> bool:
        """Whether this process does not know yet which lists there are, and may soon."""
        return self._clock() < self._awaited_until

    async def start(self) -> None:
        """Read the lists, for which requests wait a while, and begin to look for others."""
        await self._looking.start()

    async def stop(self) -> None:
        """Look no longer."""
        await self._looking.stop()

    async def look(self) -> None:
        """Take over what is published now, if it is something new."""
        try:
            found = await self._thread.run(self._news)
        except FeedbackPlatformError as error:
            self._warn(str(error))
        except Exception:  # noqa: BLE001 - logged; requests go on with what there is
            _log.exception("The lists cannot be read; the last ones go on.")
            self._note_attempt(is_whole=False, is_damaged=True)
            self._awaited_until = -math.inf
        else:
            if found is not None:
                self._take_over(found)
            elif not self._failures:
                self._failed = None
                self._awaited_until = -math.inf

    def _take_over(self, found: _News) -> None:
        if found.current is None or found.current in found.files or found.is_damaged:
            self._awaited_until = -math.inf
        if found.problem:
            self._warn(found.problem)
        else:
            self._failed = None
        if found.current is None:
            self.current, self.by_version, self._files = None, {}, {}
        elif found.current in found.files:
            self._files = found.files
            self.current = found.files[found.current]
            self.by_version = {each.model_version: each for each in found.files.values()}

    def _news(self) -> _News | None:
        """Return the lists that count now; None where they are as before."""
        pointer = pointed_lists(self._lake)
        if pointer == self._tried and (not self._failures or self._clock() < self._again_at):
            return None
        if pointer != self._tried:
            self._tried, self._failures = pointer, 0
        if pointer is None:
            return _News({}, None)
        files: dict[str, OnlineLists] = {}
        problem, is_damaged = "", False
        for key in sorted(pointer.keys):
            try:
                files[key] = self._files.get(key) or self._opened(key, pointer)
            except FeedbackPlatformError as error:
                problem = problem or str(error)
                is_damaged = is_damaged or isinstance(error, InvalidInputError)
        self._note_attempt(is_whole=not problem, is_damaged=is_damaged)
        return _News(files, pointer.key, problem, is_damaged)

    def _note_attempt(self, *, is_whole: bool, is_damaged: bool) -> None:
        """Have what is damaged wait longer each time, since it hardly mends itself.

        What the store did not give may be there at the next look.
        """
        if is_whole:
            self._failures = 0
            return
        wait = _RETRY_SECONDS * 2 ** min(self._failures, _MOST_DOUBLINGS) if is_damaged else 0.0
        self._again_at = self._clock() + wait
        self._failures += 1

    def _opened(self, key: str, pointer: ListsPointer) -> OnlineLists:
        # It brings the ranker's library, which takes seconds: events are collected meanwhile, and a
        # server without lists never needs it.
        from feedback_platform.learning.online.online_lists import OnlineLists  # noqa: PLC0415

        path = local_lists(self._lake, key, self._cache, beside=pointer.keys)
        lists = OnlineLists.open(path)
        _warm_up(lists)
        return lists

    def _warn(self, problem: str) -> None:
        # Once for each problem, not once a second.
        if problem != self._failed:
            _log.warning("The lists cannot be read; the last ones go on: %s", problem)
            self._failed = problem


def _warm_up(lists: OnlineLists) -> None:
    """Make what is made at the first use, so that no request waits for it."""
    if not lists.catalogue.item_ids:
        return
    now = time.time()
    click = SessionEvent("item_clicked", lists.catalogue.item_ids[0], None, now)
    user = lists.people.user_ids[0] if len(lists.people.user_ids) else ""
    lists.recommend(user, [click], now=now)
