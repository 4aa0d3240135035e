"""GET and PUT of what a user allows.

What is put is answered when it is durable twice: as an event in raw, from which the layers hear of
it, and in the log of preferences, from which every process knows it until then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import orjson

from feedback_platform.errors import InvalidInputError
from feedback_platform.events import columns as c
from feedback_platform.events.received import Format, opened_line
from feedback_platform.ingestion.collector.documents import decoded
from feedback_platform.ingestion.collector.refusals import RequestRefusedError
from feedback_platform.ingestion.collector.station import Station, written_time
from feedback_platform.privacy.preferences import requested_change
from feedback_platform.privacy.preferences_log import PreferencesEntry
from feedback_platform.privacy.requests import named_fields
from feedback_platform.serving.pending_preferences import PendingPreferences
from feedback_platform.serving.preferences_writer import PreferencesWriter
from feedback_platform.serving.user_facts import PublishedUsers

MAX_BODY_BYTES: Final = 8 * 1024
# Of one user, until the next publication; each of them is an object in the lake.
MOST_WAITING: Final = 50
_SOURCE: Final = "preferences"
_NUL: Final = "\x00"
_RETRY_AFTER_SECONDS: Final = 30


class PreferencesEndpoint:
    """Reads and changes preferences; whoever calls it has made sure of who asks."""

    def __init__(
        self,
        station: Station,
        users: PublishedUsers,
        pending: PendingPreferences,
        writer: PreferencesWriter,
        signals: Sequence[str],
    ) -> None:
        self._station = station
        self._users = users
        self._pending = pending
        self._writer = writer
        self._signals = tuple(signals)

    def content(self, user_id: str) -> dict[str, Any]:
        """Return what a user allows.

        Raises:
            RequestRefusedError: it was not read yet (503).
        """
        if not self._users.are_known:
            text = "What users allow was not read yet, since the store does not answer; try again."
            raise RequestRefusedError.for_now(text, 2)
        return self._users.preferences_of(user_id).content(self._signals)

    async def change(self, user_id: str, body: bytes) -> dict[str, Any]:
        """Take what a user says from now on, and return all that they allow.

        Args:
            user_id: as the layers call them.
            body: JSON.

        Raises:
            RequestRefusedError: it says nothing that there is, or of somebody whom no layer knows
                (400), the user is about to be erased (409), changes all the time (429), or the
                store failed (503).
        """
        try:
            change = requested_change(decoded(body), self._signals)
        except InvalidInputError as error:
            raise RequestRefusedError(400, "invalid_preferences", str(error)) from error
        if _NUL in user_id:
            # Cleaning puts such events aside, so no layer would ever hear of it.
            text = "The user's id has a NUL in it, which no event can have."
            raise RequestRefusedError(400, "invalid_user", text)
        # What is not known cannot be answered.
        self.content(user_id)
        if self._pending.is_leaving(user_id):
            text = "The user is about to be erased; until then nothing is done with what is known."
            raise RequestRefusedError(409, "erasure_pending", text)
        if self._pending.waiting(user_id) >= MOST_WAITING:
            retry_after = ((b"retry-after", b"%d" % _RETRY_AFTER_SECONDS),)
            text = "Too many changes of this user wait for the next publication; try again later."
            raise RequestRefusedError(429, "too_many_changes", text, retry_after)
        if change:
            event_id = f"{_SOURCE}-{self._station.new_id()}"
            entry = self._pending.new_entry(event_id, user_id, change)
            now, _ = self._station.now()
            await self._station.commit.store(_event_line(entry, now), now)
            await self._writer.write([entry])
        return self.content(user_id)


def _event_line(entry: PreferencesEntry, now: datetime) -> bytes:
    # Cleaning puts no event after its receipt. An entry that comes after one by a clock that is
    # ahead would be put before it, and the earlier word would count.
    received_at = written_time(max(now, entry.said_at))
    event: Mapping[str, Any] = {
        c.EVENT_ID: entry.event_id,
        c.EVENT_TYPE: "consent_changed",
        **named_fields(entry.user_id),
        c.OCCURRED_AT: written_time(entry.said_at),
        c.PROPERTIES: entry.change.content,
    }
    line = opened_line(Format.EVENT, received_at=received_at, source=_SOURCE)
    return line + orjson.dumps(event) + b"}\n"
