"""How a change of preferences comes to count: in the log, in this process and its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from feedback_platform.lake.store import Lake
from feedback_platform.privacy.preferences_log import PreferencesEntry, PreferencesLog
from feedback_platform.serving.neighbours import Neighbours
from feedback_platform.serving.pending_preferences import PendingPreferences
from feedback_platform.serving.store_calls import StoreCalls

_TOPIC: Final = b"preferences"


class PreferencesWriter:
    """Makes changes durable, and then known."""

    def __init__(self, lake: Lake, pending: PendingPreferences, neighbours: Neighbours) -> None:
        self._log = PreferencesLog(lake)
        self._pending = pending
        self._neighbours = neighbours
        self._store = StoreCalls("changed-preferences")
        neighbours.subscribe(_TOPIC, self._heard)

    async def write(self, entries: Sequence[PreferencesEntry]) -> None:
        """Return when changes count in the next response of every worker, and after a restart.

        Raises:
            RequestRefusedError: the store failed or did not answer in time (503). Some may count
                all the same; the same may be written again.
        """
        if not entries:
            return
        await self._store.run(partial(self._log.append, *entries))
        self._pending.take(entries)
        for entry in entries:
            self._neighbours.send(_TOPIC, entry.to_bytes())

    def _heard(self, payload: bytes) -> None:
        self._pending.take([PreferencesEntry.from_bytes(payload)])
