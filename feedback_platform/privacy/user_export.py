"""Everything that is known of a user as one JSON document, made piece by piece."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import orjson

from feedback_platform.errors import NothingPublishedError
from feedback_platform.warehouse.user_data import PARTS, UserData, open_user_data

_OPTIONS: Final = orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS
PREFERENCES: Final = "preferences"
_ABOUT_PREFERENCES: Final = "What you allow, as it counts now."
_PIECE_BYTES: Final = 64 * 1024


class UserExport:
    """The document of one user, from the tables as they are published when it is begun."""

    def __init__(
        self, path: Path, user_id: str, preferences: Mapping[str, Any], *, now: datetime
    ) -> None:
        """Prepare to write.

        Args:
            path: of the published database.
            user_id: as the layers call them.
            preferences: what they allow now, as JSON says it.
            now: UTC.
        """
        self._path = path
        self._user_id = user_id
        self._preferences = preferences
        self._now = now
        self._data: UserData | None = None

    def pieces(self) -> Generator[bytes]:
        """Yield the document, in pieces of some size.

        Raises:
            duckdb.Error: what is published cannot be read, or the export was stopped.
        """
        held = bytearray()
        for part in self._parts():
            held += part
            if len(held) >= _PIECE_BYTES:
                yield bytes(held)
                held.clear()
        yield bytes(held)

    def stop(self) -> None:
        """End the query that is under way, from another thread."""
        if self._data is not None:
            self._data.stop()

    def _parts(self) -> Iterator[bytes]:
        head = {"user_id": self._user_id, "exported_at": self._now}
        try:
            with open_user_data(self._path, self._user_id) as data:
                self._data = data
                yield _dumped({**head, "published_at": data.published_at})[:-1]
                yield from self._own_words()
                for part in PARTS:
                    yield from _part(part.name, part.about, data.rows(part))
        except NothingPublishedError:
            yield _dumped({**head, "published_at": None})[:-1]
            yield from self._own_words()
            for part in PARTS:
                yield from _part(part.name, part.about, ())
        finally:
            self._data = None
        yield b"}\n"

    def _own_words(self) -> Iterator[bytes]:
        return _part(PREFERENCES, _ABOUT_PREFERENCES, [dict(self._preferences)])


def _part(name: str, about: str, rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    yield b",\n%s:{" % _dumped(name) + b'"about":%s,"rows":[' % _dumped(about)
    separator = b"\n"
    for row in rows:
        yield separator + _dumped(row)
        separator = b",\n"
    yield b"]}"


def _dumped(value: Any) -> bytes:
    return orjson.dumps(value, default=_plain, option=_OPTIONS)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return str(value)
