"""What the server knows of the users for whom flags are evaluated, from the published tables."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Final

import duckdb

from feedback_platform.adjustment.flags.context import Facts
from feedback_platform.errors import FeedbackPlatformError
from feedback_platform.lake.daemon_threads import DaemonThreads
from feedback_platform.warehouse.current_users import CurrentUsers, CurrentUsersReader

_log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 2.0
_STRANGER: Final = Facts()
_Stamp = tuple[int, int, int]


class PublishedUsers:
    """Segments and consents in memory, read anew by a thread when a publication came.

    Whoever asks meanwhile has the ones before, whole.
    """

    def __init__(self, path: Path, *, look_seconds: float = _LOOK_SECONDS) -> None:
        self._path = path
        self._look_seconds = look_seconds
        self._reader = CurrentUsersReader(path)
        self._thread = DaemonThreads("users")
        self._users = CurrentUsers()
        self._stamp: _Stamp | None = None
        self._task: asyncio.Task[None] | None = None

    def of(self, targeting_key: str) -> Facts:
        """Return what is known of a user."""
        users = self._users
        segment = users.segments.get(targeting_key)
        if targeting_key in users.opted_out:
            return Facts(is_personalised=False)
        return _STRANGER if segment is None else Facts(segment.segment_id, segment.name)

    def start(self) -> None:
        """Begin to look for publications."""
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
        if stamp is None or stamp == self._stamp:
            return None
        # A publication that cannot be read is tried once: the next one takes its place.
        self._stamp = stamp
        try:
            return self._reader.read()
        except (FeedbackPlatformError, duckdb.Error):
            _log.warning("The published users cannot be read; the last ones go on.", exc_info=True)
            return None


def _stamp_of(path: Path) -> _Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
