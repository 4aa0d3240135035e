"""The log of what users said of their preferences, from when they say it until tables have it.

Each entry is an object whose key begins with its time, so what is new is found by listing from a
position. Whoever writes has a clock of its own, and takes a moment to write: readers look a little
behind their position as well.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from feedback_platform.events import columns as c
from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform.lake.tombstones import ANONYMOUS, Tombstones, microseconds
from feedback_platform.privacy.layers import LayerErasure, Stopwatch
from feedback_platform.privacy.preferences import PreferencesChange, stated_change
from feedback_platform.privacy.requests import identity_of, named_fields

_log = logging.getLogger(__name__)

_AT_ONCE: Final = 16
# Between the clocks of servers, and for a write that takes its time.
OVERLAP: Final = timedelta(minutes=1)
_DAMAGES: Final = (ValueError, TypeError, KeyError, AttributeError)


@dataclass(frozen=True)
class PreferencesEntry:
    """What a user said.

    Attributes:
        event_id: of the event by which the layers hear of it.
        said_at: UTC.
        user_id: as the layers call them.
        change: what is different from then on.
        heard_at: UTC, when the event was received that says it, which may have been on its way for
            long; None where it was said here.
    """

    event_id: str
    said_at: datetime
    user_id: str = field(repr=False)
    change: PreferencesChange
    heard_at: datetime | None = None

    @property
    def key(self) -> str:
        """Where it lies in the lake: behind what was written before it."""
        if self.heard_at is None:
            return keys.preferences_entry(self.said_at, self.event_id)
        # The sender has named the event, so it may be called anything.
        name = hashlib.sha256(self.event_id.encode(errors="surrogatepass")).hexdigest()[:32]
        return keys.preferences_entry(self.heard_at, name)

    @property
    def order(self) -> tuple[datetime, str]:
        """By which of two the later counts, as in the layers."""
        return self.said_at, self.event_id

    def to_bytes(self) -> bytes:
        """Return it as it is written: whose it is under the names that events have for it."""
        content: dict[str, Any] = {
            c.EVENT_ID: self.event_id,
            "said_at": self.said_at.isoformat(),
            **named_fields(self.user_id),
            "change": self.change.content,
        }
        if self.heard_at is not None:
            content["heard_at"] = self.heard_at.isoformat()
        return json.dumps(content).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> PreferencesEntry:
        """Return what was written.

        Raises:
            ValueError, TypeError, KeyError, AttributeError: it is damaged.
        """
        stored = json.loads(data)
        user_id = stored.get(c.USER_ID) or f"{ANONYMOUS}{stored[c.ANONYMOUS_ID]}"
        heard_at = stored.get("heard_at")
        return cls(
            event_id=stored[c.EVENT_ID],
            said_at=datetime.fromisoformat(stored["said_at"]),
            user_id=user_id,
            change=stated_change(stored["change"]),
            heard_at=None if heard_at is None else datetime.fromisoformat(heard_at),
        )


class PreferencesLog:
    """Reads on from where it was."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._after: str | None = None
        self._read: set[str] = set()

    def append(self, *entries: PreferencesEntry) -> None:
        """Write entries; once this returns, every reader will have them.

        Raises:
            LakeUnavailableError: the store failed; some may be there all the same.
        """
        if len(entries) == 1:
            self._write(entries[0])
            return
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(self._write, entries))

    def _write(self, entry: PreferencesEntry) -> None:
        self._lake.put(entry.key, entry.to_bytes(), mode="create")

    def new_entries(self, now: datetime) -> list[PreferencesEntry]:
        """Return the entries that were not read yet, in their order.

        Args:
            now: UTC, by this reader's clock.

        Raises:
            LakeUnavailableError: the store failed; the next call goes on there.
        """
        listed = self._lake.list_keys(keys.PREFERENCES, after=self._after)
        fresh = [key for key in listed if key not in self._read]
        found = entries_of(self._lake, fresh)
        self._read.update(fresh)
        self._after = keys.preferences_log(now - OVERLAP)
        return sorted(found.values(), key=lambda entry: entry.order)

    def erased(self) -> frozenset[str]:
        """Return the keys of entries that were read and are gone."""
        gone = frozenset(self._read.difference(self._lake.list_keys(keys.PREFERENCES)))
        self._read -= gone
        return gone

    def drop(self, *, before: datetime, but: Collection[str]) -> None:
        """Delete entries that nobody needs any more.

        Args:
            before: UTC; younger ones stay, for readers who are behind.
            but: keys of those that tables do not have yet.
        """
        end = keys.preferences_log(before)
        dropped = sorted(key for key in self._read.difference(but) if key < end)
        self._lake.delete(dropped)
        self._read.difference_update(dropped)


def entries_of(lake: Lake, listed: Collection[str]) -> dict[str, PreferencesEntry]:
    """Return entries by their keys, without those that are gone or damaged."""
    found: dict[str, PreferencesEntry] = {}
    if not listed:
        return found
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for key, content in zip(listed, pool.map(lake.find, listed), strict=True):
            if content is None:
                continue
            try:
                found[key] = PreferencesEntry.from_bytes(content)
            except _DAMAGES as error:
                _log.warning("%s is damaged (%s), and does not count.", key, type(error).__name__)
    return found


def is_erased(entry: PreferencesEntry, tombstones: Tombstones) -> bool:
    """Return whether an entry is of somebody who was erased, and said it before."""
    identity = identity_of(entry.user_id)
    instant = tombstones.instant_of(identity.kind, identity.id)
    return instant is not None and microseconds(entry.said_at) <= instant


def erase_preferences(lake: Lake, tombstones: Tombstones) -> LayerErasure:
    """Take out of the log what erased users said."""
    watch = Stopwatch()
    listed = lake.list_keys(keys.PREFERENCES)
    entries = entries_of(lake, listed)
    gone = [key for key, entry in entries.items() if is_erased(entry, tombstones)]
    lake.delete(gone)
    return LayerErasure("preferences", len(listed), len(gone), len(gone), watch.lap())
