"""A log of numbered objects, each written by whoever came first.

What is appended is decided upon everything before it, and counts only if its writer creates the
next number. Of two that race, one creates it; the other reads it and decides anew. So none is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Literal, Protocol

from feedback_platform.errors import LakeObjectExistsError

_READERS: Final = 16


class Store(Protocol):
    """What a log needs of an object store; the lake has it."""

    def find(self, key: str) -> bytes | None:
        """Return the content of an object, or None where there is none."""
        ...

    def put(self, key: str, data: bytes, *, mode: Literal["create", "overwrite"]) -> None:
        """Write an object; `create` raises LakeObjectExistsError where something else lies."""
        ...

    def list_keys(self, prefix: str, *, after: str | None = None) -> list[str]:
        """Return the keys under a prefix, sorted."""
        ...


class NumberedLog:
    """Reads on from where it was, and appends there.

    Args:
        store: where the entries lie.
        prefix: of their keys.
        key_of: returns the key of a number.
        number_of: returns the number that a key holds, None for something else beside them.
    """

    def __init__(
        self,
        store: Store,
        prefix: str,
        key_of: Callable[[int], str],
        number_of: Callable[[str], int | None],
    ) -> None:
        self._store = store
        self._prefix = prefix
        self._key_of = key_of
        self._number_of = number_of
        self._position = 0

    def new_entries(self) -> Iterator[tuple[int, bytes]]:
        """Give number and content of the entries since the last call; one look where none are.

        Raises:
            LakeUnavailableError: the store failed; the next call goes on there.
        """
        contents = self._all() if self._position == 0 else self._following()
        for position, content in contents:
            self._position = position
            yield position, content

    def append(self, content: bytes) -> bool:
        """Write the next entry, and return whether nothing else was written there.

        Raises:
            LakeUnavailableError: the store failed; the entry may be there all the same.
        """
        try:
            self._store.put(self._key_of(self._position + 1), content, mode="create")
        except LakeObjectExistsError:
            return False
        return True

    def _all(self) -> Iterator[tuple[int, bytes]]:
        """Read everything: one listing, then many objects at once."""
        listed = self._store.list_keys(self._prefix)
        found = [key for key in listed if self._number_of(key) is not None]
        with ThreadPoolExecutor(_READERS) as pool:
            for key, content in zip(found, pool.map(self._store.find, found), strict=True):
                position = self._number_of(key)
                if content is not None and position is not None:
                    yield position, content

    def _following(self) -> Iterator[tuple[int, bytes]]:
        while (content := self._store.find(self._key_of(self._position + 1))) is not None:
            yield self._position + 1, content
