"""The log of the flags' changes: numbered objects, each written by whoever came first.

A change is decided upon everything before it, and counts only if its writer creates the next
number. Of two that race, one creates it; the other reads it and decides anew. So none is lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Literal, NamedTuple, Protocol

from feedback_platform.adjustment.flags import entries
from feedback_platform.adjustment.flags.entries import Entry
from feedback_platform.errors import InvalidInputError, LakeObjectExistsError
from feedback_platform.lake import keys

_READERS: Final = 16
_DAMAGES: Final = (ValueError, TypeError, KeyError, AttributeError, InvalidInputError)


class Store(Protocol):
    """What the log needs of an object store; the lake has it."""

    def find(self, key: str) -> bytes | None:
        """Return the content of an object, or None where there is none."""
        ...

    def put(self, key: str, data: bytes, *, mode: Literal["create", "overwrite"]) -> None:
        """Write an object; `create` raises LakeObjectExistsError where something else lies."""
        ...

    def list_keys(self, prefix: str, *, after: str | None = None) -> list[str]:
        """Return the keys under a prefix, sorted."""
        ...


class Read(NamedTuple):
    """An entry that was read.

    Attributes:
        position: its number.
        entry: None for one that is damaged.
        problem: what is wrong with that.
    """

    position: int
    entry: Entry | None
    problem: str = ""


class FlagLog:
    """Reads on from where it was, and appends there."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._position = 0

    def new_entries(self) -> Iterator[Read]:
        """Give the entries since the last call, in order; one look where there are none.

        Raises:
            LakeUnavailableError: the store failed; the next call goes on there.
        """
        contents = self._all() if self._position == 0 else self._following()
        for position, content in contents:
            self._position = position
            yield _read(position, content)

    def append(self, entry: Entry) -> bool:
        """Write the next entry, and return whether nothing else was written there.

        Raises:
            LakeUnavailableError: the store failed; the entry may be there all the same.
        """
        key = keys.flag_entry(self._position + 1)
        try:
            self._store.put(key, entries.to_bytes(entry), mode="create")
        except LakeObjectExistsError:
            return False
        return True

    def _all(self) -> Iterator[tuple[int, bytes]]:
        """Read everything: one listing, then many objects at once."""
        listed = self._store.list_keys(keys.FLAGS)
        found = [key for key in listed if keys.flag_position(key) is not None]
        with ThreadPoolExecutor(_READERS) as pool:
            for key, content in zip(found, pool.map(self._store.find, found), strict=True):
                position = keys.flag_position(key)
                if content is not None and position is not None:
                    yield position, content

    def _following(self) -> Iterator[tuple[int, bytes]]:
        while (content := self._store.find(keys.flag_entry(self._position + 1))) is not None:
            yield self._position + 1, content


def _read(position: int, content: bytes) -> Read:
    try:
        return Read(position, entries.from_bytes(content))
    except _DAMAGES as error:
        problem = f"{keys.flag_entry(position)} is damaged ({type(error).__name__}: {error})"
        return Read(position, None, problem)
