"""What users said of their preferences that no publication has yet, in memory.

It counts from the next response on, in every process, and after a restart, too: a process reads the
log in the lake at its start and about once a second, and hears of changes from its neighbours at
once. Who asked to be erased is allowed nothing to be done with until the erasure is proved.

As long as the log was never read, nobody is known to allow anything.
"""

from __future__ import annotations

import asyncio
import logging
import time
from bisect import insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from feedback_platform.clock import Clock, utc_now
from feedback_platform.errors import FeedbackPlatformError
from feedback_platform.lake.daemon_threads import DaemonThreads
from feedback_platform.lake.store import Lake
from feedback_platform.privacy.preferences import NOTHING_ALLOWED, Preferences, PreferencesChange
from feedback_platform.privacy.preferences_log import PreferencesEntry, PreferencesLog
from feedback_platform.privacy.requests import ErasureRequest, pending_requests
from feedback_platform.serving.regular_look import RegularLook

_log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 1.0
_FIRST_LOOK_SECONDS: Final = 3.0
# Longer than any server is behind in what it reads of the tables.
_KEPT: Final = timedelta(days=1)
_TIDY_SECONDS: Final = 3600.0
_TICK: Final = timedelta(microseconds=1)


def _nobody_hears(user_ids: Iterable[str]) -> None:
    pass


@dataclass(frozen=True)
class _News:
    """What a look has found.

    Attributes:
        began: when, by the event loop's clock.
        entries: that were not read before.
        requests: the erasures that are pending.
        erased: keys of entries that were read before and are gone.
    """

    began: float
    entries: list[PreferencesEntry]
    requests: list[ErasureRequest]
    erased: frozenset[str]


@dataclass(frozen=True)
class Unpublished:
    """What the tables are asked for.

    Attributes:
        entries: that they may have by now.
        erased: requests that are done; what was published before them is theirs no more.
    """

    entries: list[PreferencesEntry]
    erased: list[ErasureRequest]


class PendingPreferences:
    """Entries by user, and who is about to be erased; all calls are made on the event loop."""

    def __init__(
        self,
        lake: Lake,
        *,
        on_leaving: Callable[[Iterable[str]], None] = _nobody_hears,
        look_seconds: float = _LOOK_SECONDS,
        clock: Clock = utc_now,
    ) -> None:
        """Prepare to look.

        Args:
            lake: where the log and the requests to be erased lie.
            on_leaving: told once of each request, by the event loop, whom it is about.
            look_seconds: between two looks.
            clock: UTC.
        """
        self._lake = lake
        self._log = PreferencesLog(lake)
        self._on_leaving = on_leaving
        self._clock = clock
        self._thread = DaemonThreads("preferences")
        self._entries: dict[str, list[PreferencesEntry]] = {}
        self._requests: dict[str, ErasureRequest] = {}
        # Filed here or at a neighbour, since a look began that cannot have seen them.
        self._filed: dict[str, tuple[float, ErasureRequest]] = {}
        # Done, but the tables in memory may be from before.
        self._erased: dict[str, ErasureRequest] = {}
        self._leaving: frozenset[str] = frozenset()
        self._tidied_at = 0.0
        self.read_at: float | None = None
        self._is_failing = False
        self._looking = RegularLook(
            self.look,
            "Changed preferences",
            seconds=look_seconds,
            first_seconds=_FIRST_LOOK_SECONDS,
        )
        self.is_known = False

    def applied_to(self, published: Preferences, user_id: str) -> Preferences:
        """Return what a user allows now.

        Args:
            published: what they allow by the tables.
            user_id: as the layers call them.
        """
        if not self.is_known or user_id in self._leaving:
            return NOTHING_ALLOWED
        for entry in self._entries.get(user_id, ()):
            published = entry.change.applied_to(published)
        return published

    @property
    def requests(self) -> list[ErasureRequest]:
        """The erasures that are pending, as far as this process knows by now."""
        return list(self._requests.values())

    def is_leaving(self, user_id: str) -> bool:
        """Return whether a user is about to be erased."""
        return user_id in self._leaving

    def waiting(self, user_id: str) -> int:
        """Return how many changes that a user made here no publication has yet."""
        return sum(entry.heard_at is None for entry in self._entries.get(user_id, ()))

    def new_entry(self, event_id: str, user_id: str, change: PreferencesChange) -> PreferencesEntry:
        """Return what says a change; it comes after all that the user said before."""
        now = self._clock()
        known = self._entries.get(user_id)
        said_at = max(now, known[-1].said_at + _TICK) if known else now
        return PreferencesEntry(event_id, said_at, user_id, change)

    def take(self, entries: Iterable[PreferencesEntry]) -> None:
        """Let changes count from now on; one that is known already changes nothing."""
        for entry in entries:
            known = self._entries.setdefault(entry.user_id, [])
            if all(entry.event_id != each.event_id for each in known):
                insort(known, entry, key=lambda each: each.order)

    def take_request(self, request: ErasureRequest) -> None:
        """Allow nothing any more with who has just asked to be erased."""
        if request.request_id not in self._requests.keys() | self._filed.keys():
            self._on_leaving(request.layer_users)
        self._filed[request.request_id] = (asyncio.get_running_loop().time(), request)
        self._note_leaving()

    def unpublished(self) -> Unpublished:
        """Return what the tables are to be asked for."""
        entries = [entry for known in self._entries.values() for entry in known]
        return Unpublished(entries, list(self._erased.values()))

    def settle(self, asked: Unpublished, published: Iterable[str]) -> None:
        """Forget what the tables that are in memory now have.

        Args:
            asked: what they were asked for.
            published: the events that they had.
        """
        ids = frozenset(published)
        if ids:
            self._keep(lambda entry: entry.event_id not in ids)
        for request in asked.erased:
            self._erased.pop(request.request_id, None)
        if asked.erased:
            self._note_leaving()

    async def start(self) -> None:
        """Read the log, for which requests wait a while, and begin to look for changes."""
        await self._looking.start()

    async def stop(self) -> None:
        """Look no longer."""
        await self._looking.stop()

    async def look(self) -> None:
        """Take over what others wrote since; when the store fails, what is known goes on."""
        began = asyncio.get_running_loop().time()
        try:
            news = await self._thread.run(partial(self._news, began, list(self._requests.values())))
        except FeedbackPlatformError as error:
            if not self._is_failing:
                _log.warning("Changed preferences cannot be read; the last ones go on: %s", error)
            self._is_failing = True
            return
        self._is_failing = False
        self.read_at = time.time()
        self._take_over(news)
        if began - self._tidied_at > _TIDY_SECONDS and self.is_known:
            self._tidied_at = began
            await self._thread.run(self._tidy(self._clock() - _KEPT))

    def _news(self, began: float, known: list[ErasureRequest]) -> _News:
        requests = pending_requests(self._lake, known)
        entries = self._log.new_entries(self._clock())
        pending = {request.request_id for request in requests}
        is_one_done = any(request.request_id not in pending for request in known)
        return _News(began, entries, requests, self._log.erased() if is_one_done else frozenset())

    def _take_over(self, news: _News) -> None:
        requests = {request.request_id: request for request in news.requests}
        for name in requests.keys() - self._requests.keys() - self._filed.keys():
            self._on_leaving(requests[name].layer_users)
        for name, request in self._requests.items():
            if name not in requests:
                self._erased[name] = request
        self._requests = requests
        self._filed = {name: filed for name, filed in self._filed.items() if filed[0] >= news.began}
        self._note_leaving()
        if news.erased:
            self._keep(lambda entry: entry.key not in news.erased)
        self.take(news.entries)
        self.is_known = True

    def _tidy(self, before: datetime) -> Callable[[], None]:
        needed = frozenset(entry.key for known in self._entries.values() for entry in known)
        return partial(self._log.drop, before=before, but=needed)

    def _keep(self, is_kept: Callable[[PreferencesEntry], bool]) -> None:
        kept = {user: list(filter(is_kept, known)) for user, known in self._entries.items()}
        self._entries = {user: known for user, known in kept.items() if known}

    def _note_leaving(self) -> None:
        requests = (
            *self._requests.values(),
            *self._erased.values(),
            *(request for _, request in self._filed.values()),
        )
        self._leaving = frozenset().union(*(request.layer_users for request in requests))
