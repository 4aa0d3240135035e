"""A lake to which others do something at the worst moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake

# A cleaner has chosen its objects when it reads the first; it has chosen the number of its batch
# when it writes the manifest.
READING: Final = ("get", keys.RAW)
COMMITTING: Final = ("put", keys.CLEAN_BATCHES)


class BusyLake(Lake):
    """The real lake; before a certain request something happens, once."""

    def __init__(self, url: str, moment: tuple[str, str], happens: Callable[[], object]) -> None:
        super().__init__(url)
        self._moment = moment
        self._happens: Callable[[], object] | None = happens

    def get(self, key: str) -> bytes:
        self._let_happen("get", key)
        return super().get(key)

    def put(self, key: str, data: bytes, *, mode: Literal["create", "overwrite"]) -> None:
        self._let_happen("put", key)
        super().put(key, data, mode=mode)

    def _let_happen(self, request: str, key: str) -> None:
        happens = self._happens
        if happens is not None and request == self._moment[0] and key.startswith(self._moment[1]):
            self._happens = None
            happens()
