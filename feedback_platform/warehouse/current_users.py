"""Which segment every user is in, and who switched personalisation off, as it is published now.

Whoever answers requests keeps this in memory, and reads it anew with each publication. Published
files never change, so only those are read that were not there before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import duckdb

from feedback_platform.warehouse.published import open_published

_SEGMENTS: Final = "ml.user_segments"
_PROFILES: Final = "ml.segment_profiles"
_EVENTS: Final = "interaction.interactions"
# So many rows at a time become Python's objects: other threads have their turn in between.
_ROWS: Final = 5000
_CONSENTS: Final = """
    select user_id, occurred_at, event_id, properties ->> '/personalisation' = 'false'
    from read_parquet(?, hive_partitioning = false)
    where
        event_type = 'consent_changed'
        and user_id is not null
        and json_exists(properties, '/personalisation')
"""


class Segment(NamedTuple):
    """Which segment: its number, which it keeps from training to training, and its name."""

    segment_id: int
    name: str | None


class _Consent(NamedTuple):
    occurred_at: datetime
    event_id: str
    user_id: str
    is_opted_out: bool


@dataclass(frozen=True)
class CurrentUsers:
    """What is published of all users.

    Attributes:
        segments: by user.
        opted_out: who switched personalisation off, by the latest that was said of it.
    """

    segments: Mapping[str, Segment] = field(default_factory=dict)
    opted_out: frozenset[str] = frozenset()


class CurrentUsersReader:
    """Reads on where there is something new."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._segment_files: list[str] = []
        self._segments: Mapping[str, Segment] = {}
        self._consents: dict[str, list[_Consent]] = {}

    def read(self) -> CurrentUsers:
        """Return the users of the publication that is in place.

        Raises:
            NothingPublishedError: there is none yet.
            duckdb.Error: it cannot be read.
        """
        with open_published(self._path) as connection:
            # The requests need the other cores.
            connection.execute("set threads = 1")
            files = _files(connection)
            of_segments = files.get(_SEGMENTS, []) + files.get(_PROFILES, [])
            if of_segments != self._segment_files:
                self._segments = _segments(connection)
                self._segment_files = of_segments
            # Most files have none, so it is asked whether a file was read, not what it had.
            known = self._consents
            self._consents = {
                name: known[name] if name in known else self._read_consents(connection, name)
                for name in files.get(_EVENTS, [])
            }
        latest = {
            consent.user_id: consent.is_opted_out
            for consent in sorted(each for found in self._consents.values() for each in found)
        }
        opted_out = frozenset(user for user, is_opted_out in latest.items() if is_opted_out)
        return CurrentUsers(self._segments, opted_out)

    def _read_consents(self, connection: duckdb.DuckDBPyConnection, name: str) -> list[_Consent]:
        path = str(self._path.parent / "tables" / name)
        rows = connection.execute(_CONSENTS, [path])
        return [
            _Consent(at, event_id, user_id, is_opted_out is True)
            for user_id, at, event_id, is_opted_out in _pieces(rows)
        ]


def _files(connection: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    rows = connection.execute(
        'select "table", name from published.files where "table" in (?, ?, ?) order by rowid',
        [_SEGMENTS, _PROFILES, _EVENTS],
    ).fetchall()
    found: dict[str, list[str]] = {}
    for table, name in rows:
        found.setdefault(table, []).append(name)
    return found


def _segments(connection: duckdb.DuckDBPyConnection) -> dict[str, Segment]:
    names = dict(connection.execute("select segment_id, name from ml.segment_profiles").fetchall())
    # One object a segment, not one a user.
    segments: dict[int, Segment] = {}
    found: dict[str, Segment] = {}
    rows = connection.execute("select user_id, segment_id from ml.user_segments")
    for user_id, number in _pieces(rows):
        segment = segments.get(number)
        if segment is None:
            segment = segments[number] = Segment(number, names.get(number))
        found[user_id] = segment
    return found


def _pieces(rows: duckdb.DuckDBPyConnection) -> Iterable[tuple[Any, ...]]:
    while piece := rows.fetchmany(_ROWS):
        yield from piece
