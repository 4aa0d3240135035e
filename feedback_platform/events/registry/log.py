"""The log that a registry is: numbered objects in a store, each written by whoever came first.

A change is decided upon everything before it, and counts only if its writer creates the next
number. Of two processes that race, one creates it; the other reads what came first and decides
anew. So ids, versions and compatibility checks are as consistent as if there were one writer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Literal, Protocol

import orjson

from feedback_platform.errors import LakeObjectExistsError
from feedback_platform.events.registry.state import Change

_PREFIX: Final = "registry/log"
_READERS: Final = 16


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


class RegistryLog:
    """Reads on from where it was, and appends there."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._position = 0

    def new_changes(self) -> Iterator[Change]:
        """Return the changes since the last call, in order.

        Raises:
            LakeUnavailableError: the store failed; the next call returns them.
        """
        contents = self._all() if self._position == 0 else self._following()
        for content in contents:
            self._position += 1
            yield from orjson.loads(content)["changes"]

    def append(self, changes: Sequence[Change]) -> bool:
        """Write changes as the next entry, and return whether nothing else was written there.

        Who decided the same upon the same entries may have written it: then both were right. The
        caller reads them back as `new_changes`, like everybody's.
        """
        try:
            self._store.put(
                _key(self._position + 1), orjson.dumps({"changes": list(changes)}), mode="create"
            )
        except LakeObjectExistsError:
            return False
        return True

    def _all(self) -> Iterator[bytes]:
        """Read everything: one listing, then many objects at once."""
        keys = self._store.list_keys(_PREFIX)
        with ThreadPoolExecutor(_READERS) as pool:
            for content in pool.map(self._store.find, keys):
                if content is not None:
                    yield content

    def _following(self) -> Iterator[bytes]:
        """Read on until there is no next entry: the cost of one look where nothing changed."""
        while (content := self._store.find(_key(self._position + 1))) is not None:
            yield content


def _key(position: int) -> str:
    return f"{_PREFIX}/{position:012d}.json"
