"""What the server knows of the users for whom flags are evaluated, from the published tables."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from pathlib import Path
from typing import Final

import duckdb

from feedback_platform.adjustment.flags.context import Facts
from feedback_platform.errors import FeedbackPlatformError
from feedback_platform.lake.daemon_threads import DaemonThreads
from feedback_platform.warehouse.current_users import CurrentUsers, CurrentUsersReader

_log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 2.0
_FIRST_LOOK_SECONDS: Final = 5.0
_MOST_DOUBLINGS: Final = 5
_STRANGER: Final = Facts()
_UNREAD: Final = Facts(is_personalised=False)
_Stamp = tuple[int, int, int]


class PublishedUsers:
    """Segments and consents in memory, read anew by a thread when a publication came.

    Whoever asks meanwhile has the ones before, whole. As long as none were read, nobody is known to
    allow personalisation, so nobody gets any.
    """

    def __init__(self, path: Path, *, look_seconds: float = _LOOK_SECONDS) -> None:
        self._path = path
        self._look_seconds = look_seconds
        self._reader = CurrentUsersReader(path)
        self._thread = DaemonThreads("users")
        self._users: CurrentUsers | None = None
        self._stamp: _Stamp | None = None
        self._failures = 0
        self._looks_to_wait = 0
        self._task: asyncio.Task[None] | None = None

    def of(self, targeting_key: str) -> Facts:
        """Return what is known of a user."""
        users = self._users
        if users is None:
            return _UNREAD
        segment = users.segments.get(targeting_key)
        if targeting_key in users.opted_out:
            return Facts(is_personalised=False)
        return _STRANGER if segment is None else Facts(segment.segment_id, segment.name)

    @property
    def published_at(self) -> float | None:
        """When the tables that were read last were published; None before there are any."""
        return None if self._stamp is None else self._stamp[1] / 1e9

    async def start(self) -> None:
        """Read the users, for which requests wait a while, and begin to look for publications."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_LOOK_SECONDS):
                await asyncio.shield(self.look())
        self._task = asyncio.create_task(self._look_on())

    async def stop(self) -> None:
        """Look no longer."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def look(self) -> None:
        """Take over what is published now, if it is something new."""
        users = await self._thread.run(self._news)
        if users is not None:
            self._users = users

    async def _look_on(self) -> None:
        while True:
            try:
                await self.look()
            except Exception:  # noqa: BLE001 - logged; the requests go on with what is known
                _log.exception("The published users cannot be read; the last ones go on.")
            await asyncio.sleep(self._look_seconds)

    def _news(self) -> CurrentUsers | None:
        """Return the users of a publication that was not read yet, or None."""
        stamp = _stamp_of(self._path)
        if stamp is None:
            return CurrentUsers() if self._users is None else None
        if stamp == self._stamp:
            if not self._failures:
                return None
            # It may be readable later; each failure waits twice as many looks for the next attempt.
            self._looks_to_wait -= 1
            if self._looks_to_wait >= 0:
                return None
        else:
            self._failures = 0
        self._stamp = stamp
        try:
            found = self._reader.read()
        except (FeedbackPlatformError, duckdb.Error):
            self._looks_to_wait = 2 ** min(self._failures, _MOST_DOUBLINGS)
            self._failures += 1
            _log.warning("The published users cannot be read; the last ones go on.", exc_info=True)
            return None
        self._failures = 0
        return found


def _stamp_of(path: Path) -> _Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
