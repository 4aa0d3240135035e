"""What was computed from one publication, until there is another."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final, TypeVar, cast

# A page has some ten frames of a few hundred rows; more combinations of filters are computed anew.
MOST_ENTRIES: Final = 500
_Kept = TypeVar("_Kept")


class SnapshotCache:
    """Keeps results by what was asked, all of one publication; shared by all sessions.

    The first question about another publication lets go of everything that came from the one
    before. What is kept is handed to several threads and must not be changed.
    """

    def __init__(self, most: int = MOST_ENTRIES) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._identity: Hashable = None
        self._kept: OrderedDict[Hashable, object] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, identity: Hashable, key: Hashable, compute: Callable[[], _Kept]) -> _Kept:
        """Return what is kept under a key, or compute and keep it.

        Computing holds no lock: two sessions that ask the same at once may both compute it, and
        none waits for the other.

        Args:
            identity: of the publication that is asked.
            key: what is asked of it.
            compute: how to answer; its exceptions are not kept.
        """
        with self._lock:
            if identity == self._identity and key in self._kept:
                self._kept.move_to_end(key)
                return cast("_Kept", self._kept[key])
        found = compute()
        with self._lock:
            if identity != self._identity:
                self._kept.clear()
                self._identity = identity
            self._kept[key] = found
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return found
