"""What the server knows of users: the published tables, and what they said since."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import duckdb

from feedback_platform.adjustment.flags.context import Facts
from feedback_platform.errors import FeedbackPlatformError
from feedback_platform.lake.daemon_threads import DaemonThreads
from feedback_platform.privacy.preferences import NOTHING_ALLOWED, Preferences
from feedback_platform.serving.pending_preferences import PendingPreferences
from feedback_platform.serving.regular_look import RegularLook
from feedback_platform.warehouse.current_users import CurrentUsers, CurrentUsersReader
from feedback_platform.warehouse.published_events import published_event_ids

_log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 2.0
_FIRST_LOOK_SECONDS: Final = 5.0
_MOST_DOUBLINGS: Final = 5
_STRANGER: Final = Facts()
_UNKNOWN: Final = Facts(is_personalised=False)
_OUT_OF_RESEARCH: Final = Facts(allows_research=False)
_ALLOWS_ALL: Final = Preferences()
_NONE: Final[frozenset[str]] = frozenset()
_NANOSECONDS: Final = 1_000_000_000
_Stamp = tuple[int, int, int]


class _Found(NamedTuple):
    """What a look at the publication has found.

    Attributes:
        users: None where they are as before.
        published: the events among those asked for that readers can see.
        is_newest: whether the users in memory, with these, are those of the newest publication.
    """

    users: CurrentUsers | None = None
    published: frozenset[str] = frozenset()
    is_newest: bool = True


class PublishedUsers:
    """Segments and consents in memory, read anew by a thread when a publication came.

    Whoever asks meanwhile has the ones before, whole. As long as none were read, nobody is known to
    allow personalisation, so nobody gets any. What users said since counts on top of that.
    """

    def __init__(
        self,
        path: Path,
        pending: PendingPreferences | None = None,
        *,
        look_seconds: float = _LOOK_SECONDS,
    ) -> None:
        """Prepare to read.

        Args:
            path: of the published database.
            pending: what users said since; None for whoever asks for the tables alone.
            look_seconds: between two looks for a publication.
        """
        self._path = path
        self._pending = pending
        self._reader = CurrentUsersReader(path)
        self._thread = DaemonThreads("users")
        self._users: CurrentUsers | None = None
        self._stamp: _Stamp | None = None
        self._asked_for: frozenset[str] = frozenset()
        self._failures = 0
        self._looks_to_wait = 0
        self._looking = RegularLook(
            self.look,
            "The published users",
            seconds=look_seconds,
            first_seconds=_FIRST_LOOK_SECONDS,
        )

    @property
    def are_known(self) -> bool:
        """Whether it is known by now what users allow."""
        return self._users is not None and (self._pending is None or self._pending.is_known)

    @property
    def current(self) -> CurrentUsers | None:
        """All that is known of users, or None as long as nothing was read."""
        return self._users

    def of(self, targeting_key: str) -> Facts:
        """Return what is known of a user."""
        users, allowed = self._users, self.preferences_of(targeting_key)
        if users is None or not allowed.is_personalised:
            return _UNKNOWN
        segment = users.segments.get(targeting_key)
        if segment is None:
            return _STRANGER if allowed.allows_research else _OUT_OF_RESEARCH
        return Facts(segment.segment_id, segment.name, allows_research=allowed.allows_research)

    @property
    def published_at(self) -> float | None:
        """When the tables that were read last were published; None before there are any."""
        return None if self._stamp is None else self._stamp[1] / _NANOSECONDS

    def preferences_of(self, user_id: str) -> Preferences:
        """Return what a user allows; nothing as long as nobody knows."""
        users = self._users
        if users is None:
            return NOTHING_ALLOWED
        published = _published(users, user_id)
        return published if self._pending is None else self._pending.applied_to(published, user_id)

    async def start(self) -> None:
        """Read the users, for which requests wait a while, and begin to look for publications."""
        await self._looking.start()

    async def stop(self) -> None:
        """Look no longer."""
        await self._looking.stop()

    async def look(self) -> None:
        """Take over what is published now, if it is something new."""
        if self._pending is None:
            found = await self._thread.run(partial(self._news, {}))
        else:
            asked = self._pending.unpublished()
            events = {entry.event_id: entry.said_at for entry in asked.entries}
            found = await self._thread.run(partial(self._news, events))
        if found.users is not None:
            self._users = found.users
        if self._pending is not None and found.is_newest:
            self._pending.settle(asked, found.published)

    def _news(self, events: Mapping[str, datetime]) -> _Found:
        """Return what is new, and which of some events are published by now."""
        stamp = _stamp_of(self._path)
        if stamp is None:
            return _Found(CurrentUsers() if self._users is None else None)
        # What was said since cannot be in it, and nobody looks twice for the same in one place.
        asked = {name: at for name, at in events.items() if _is_before(at, stamp)}
        if stamp == self._stamp:
            if self._failures:
                # It may be readable later; each failure waits twice as long for the next attempt.
                self._looks_to_wait -= 1
                if self._looks_to_wait >= 0:
                    return _Found(is_newest=False)
            elif asked.keys() <= self._asked_for:
                return _Found()
        else:
            self._failures = 0
        is_read = stamp == self._stamp and not self._failures
        self._stamp = stamp
        try:
            # In this order: the users are those of this publication, or of a newer one.
            published = published_event_ids(self._path, asked)
            found = None if is_read else self._reader.read()
        except (FeedbackPlatformError, duckdb.Error):
            self._looks_to_wait = 2 ** min(self._failures, _MOST_DOUBLINGS)
            self._failures += 1
            _log.warning("The published users cannot be read; the last ones go on.", exc_info=True)
            return _Found(is_newest=False)
        self._failures = 0
        self._asked_for = frozenset(asked)
        return _Found(found, published)


def _published(users: CurrentUsers, user_id: str) -> Preferences:
    is_personalised = user_id not in users.opted_out
    allows_research = user_id not in users.out_of_research
    signals_off = users.signals_off.get(user_id, _NONE)
    if is_personalised and allows_research and not signals_off:
        return _ALLOWS_ALL
    return Preferences(is_personalised, allows_research, signals_off)


def _is_before(said_at: datetime, stamp: _Stamp) -> bool:
    _, changed_at, _ = stamp
    return said_at.timestamp() < changed_at / _NANOSECONDS


def _stamp_of(path: Path) -> _Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
