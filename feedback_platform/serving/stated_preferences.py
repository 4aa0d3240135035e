"""`consent_changed` events that the collector takes: they count like what is put.

What such an event says, of whom and when is decided by cleaning's own definitions, so the layers
will say the same. It may have been on its way for long: what the user has said since, as far as it
is published, is not taken back by it. What is not published yet is put in order where it is kept.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import duckdb
import orjson

from feedback_platform.cleaning.events_to_come import events_to_come
from feedback_platform.errors import NothingPublishedError
from feedback_platform.events import columns as c
from feedback_platform.events.translation.mapping import EventMapping
from feedback_platform.lake.store import Lake
from feedback_platform.lake.tombstones import ANONYMOUS, load_tombstones
from feedback_platform.privacy.preferences import PreferencesChange, stated_change
from feedback_platform.privacy.preferences_log import PreferencesEntry
from feedback_platform.serving.preferences_writer import PreferencesWriter
from feedback_platform.serving.store_calls import StoreCalls
from feedback_platform.warehouse.published_events import statements_since

STATED: Final = frozenset({"consent_changed"})
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_NOTHING: Final = PreferencesChange()


class StatedPreferences:
    """Takes what users say of their preferences in events."""

    def __init__(
        self,
        lake: Lake,
        published: Path,
        mapping: EventMapping,
        writer: PreferencesWriter,
        signals: Collection[str],
    ) -> None:
        """Prepare to take.

        Args:
            lake: where it is kept who was erased.
            published: the published database.
            mapping: what the names of events mean.
            writer: makes changes count.
            signals: those that there are.
        """
        self._lake = lake
        self._published = published
        self._mapping = mapping
        self._writer = writer
        self._signals = frozenset(signals)
        self._store = StoreCalls("stated-preferences")

    async def take(self, lines: bytes, received_at: datetime) -> None:
        """Return when what some received lines say counts in the next response.

        Args:
            lines: they are durable.
            received_at: UTC.

        Raises:
            RequestRefusedError: the store failed or did not answer in time (503).
        """
        entries = await self._store.run(partial(self._entries, lines, received_at))
        await self._writer.write(entries)

    def _entries(self, lines: bytes, received_at: datetime) -> list[PreferencesEntry]:
        events = events_to_come(lines, received_at, self._mapping, load_tombstones(self._lake))
        entries = (
            self._entry(event, received_at)
            for event in events.iter_rows(named=True)
            if event[c.EVENT_TYPE] in STATED
        )
        return [entry for entry in entries if entry is not None]

    def _entry(self, event: dict[str, Any], received_at: datetime) -> PreferencesEntry | None:
        """Return what an event says that nobody has said better since; None for nothing."""
        user_id = event[c.USER_ID] or f"{ANONYMOUS}{event[c.ANONYMOUS_ID]}"
        said_at = event[c.OCCURRED_AT]
        properties = event[c.PROPERTIES]
        change = stated_change(None if properties is None else orjson.loads(properties))
        change = change.of_signals(self._signals)
        if change and said_at < self._published_at():
            change = self._not_superseded(change, event[c.EVENT_ID], user_id, said_at)
        if not change:
            return None
        return PreferencesEntry(event[c.EVENT_ID], said_at, user_id, change, received_at)

    def _published_at(self) -> datetime:
        """Return when the tables were published; what was said later than that is not in them."""
        try:
            changed_at = self._published.stat().st_mtime
        except OSError:
            return _NEVER
        return datetime.fromtimestamp(changed_at, UTC)

    def _not_superseded(
        self, change: PreferencesChange, event_id: str, user_id: str, said_at: datetime
    ) -> PreferencesChange:
        try:
            since = statements_since(self._published, user_id, said_at)
        except (NothingPublishedError, duckdb.Error):
            # Nobody is personalised by tables that cannot be read.
            return change
        for other in since:
            if other.event_id == event_id:
                # It came before, and is published.
                return _NOTHING
            if (other.occurred_at, other.event_id) > (said_at, event_id):
                change = change.without(stated_change(other.properties))
        return change
