"""Whether a failure is that of a full disk, whoever met it: Python, SQLite or DuckDB."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from typing import Final

# A quota that is used up is a full disk to whoever has no more.
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
# How those say it that have no number for it.
_SAID: Final = ("no space left on device", "database or disk is full", "disk quota exceeded")


def is_of_a_full_disk(error: BaseException) -> bool:
    """Return whether an error, or one that it came of, says that there is no room left."""
    return any(map(_says_so, _with_causes(error)))


def _says_so(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    if isinstance(error, sqlite3.Error) and _code(error) == sqlite3.SQLITE_FULL:
        return True
    text = str(error).lower()
    return any(said in text for said in _SAID)


def _code(error: sqlite3.Error) -> int | None:
    # Only what SQLite itself raised has one.
    return getattr(error, "sqlite_errorcode", None)


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or found.__context__
