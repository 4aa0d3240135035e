"""The newest lists in the memory of a serving process, exchanged whole, between two requests."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from feedback_platform.errors import FeedbackPlatformError
from feedback_platform.lake.daemon_threads import DaemonThreads
from feedback_platform.lake.store import Lake
from feedback_platform.learning.online.publication import current_lists, local_lists
from feedback_platform.learning.online.records import SessionEvent
from feedback_platform.serving.regular_look import RegularLook

if TYPE_CHECKING:
    from feedback_platform.learning.online.online_lists import OnlineLists

_log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 1.0
# A start waits so long; events and flags do not depend on lists.
_FIRST_LOOK_SECONDS: Final = 5.0


class PublishedLists:
    """Looks for new lists about once a second, in a thread; requests read what is there.

    While new ones cannot be read, the last good ones go on. They end only when the lake says that
    there are none any more.

    Attributes:
        current: the lists, None where none were made yet or none could be read.
    """

    def __init__(self, lake: Lake, cache: Path, *, look_seconds: float = _LOOK_SECONDS) -> None:
        """Prepare to look.

        Args:
            lake: where they are published; on this machine they are mapped where they lie.
            cache: for copies of others.
            look_seconds: between two looks.
        """
        self._lake = lake
        self._cache = cache
        self._thread = DaemonThreads("lists")
        self._key: str | None = None
        self._failed: str | None = None
        self._looking = RegularLook(
            self.look, "The lists", seconds=look_seconds, first_seconds=_FIRST_LOOK_SECONDS
        )
        self.current: OnlineLists | None = None

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
        else:
            self._failed = None
            if found is not None:
                self._key, self.current = found

    def _news(self) -> tuple[str | None, OnlineLists | None] | None:
        """Return the key and the lists that count now; None where they are as before."""
        key = current_lists(self._lake)
        if key == self._key:
            return None
        if key is None:
            return None, None
        # It brings the ranker's library, which takes seconds: events are collected meanwhile, and a
        # server without lists never needs it.
        from feedback_platform.learning.online.online_lists import OnlineLists  # noqa: PLC0415

        lists = OnlineLists.open(local_lists(self._lake, key, self._cache))
        _warm_up(lists)
        return key, lists

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
