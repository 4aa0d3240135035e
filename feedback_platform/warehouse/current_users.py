"""Which segment every user is in, and what users do not allow, as it is published now.

Whoever answers requests keeps this in memory, and reads it anew with each publication. Published
files never change, so a table is only read when it has other files than before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import duckdb

from feedback_platform.warehouse.published import open_published

_SEGMENTS: Final = "ml.user_segments"
_PROFILES: Final = "ml.segment_profiles"
_PREFERENCES: Final = "interaction.user_preferences"
# So many rows at a time become Python's objects: other threads have their turn in between.
_ROWS: Final = 5000
# Most users allow everything.
_SWITCHED_OFF: Final = """
    select user_id, personalisation, research, signals_off
    from interaction.user_preferences
    where not (personalisation and research) or len(signals_off) > 0
"""


class Segment(NamedTuple):
    """Which segment: its number, which it keeps from training to training, and its name."""

    segment_id: int
    name: str | None


@dataclass(frozen=True)
class CurrentUsers:
    """What is published of all users.

    Attributes:
        segments: by user.
        opted_out: who switched personalisation off.
        out_of_research: who switched research off.
        signals_off: by user, the signals that they switched off.
    """

    segments: Mapping[str, Segment] = field(default_factory=dict)
    opted_out: frozenset[str] = frozenset()
    out_of_research: frozenset[str] = frozenset()
    signals_off: Mapping[str, frozenset[str]] = field(default_factory=dict)


class CurrentUsersReader:
    """Reads on where there is something new."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files: dict[str, list[str]] = {}
        self._users = CurrentUsers()

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
            users = self._users
            if self._is_new(files, _SEGMENTS, _PROFILES):
                users = replace(users, segments=_segments(connection))
            if self._is_new(files, _PREFERENCES):
                users = replace(users, **_switched_off(connection))
        self._files, self._users = files, users
        return users

    def _is_new(self, files: Mapping[str, list[str]], *tables: str) -> bool:
        return any(files.get(table) != self._files.get(table) for table in tables)


def _files(connection: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    rows = connection.execute(
        'select "table", name from published.files where "table" in (?, ?, ?) order by rowid',
        [_SEGMENTS, _PROFILES, _PREFERENCES],
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


def _switched_off(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    opted_out, out_of_research = set(), set()
    signals_off: dict[str, frozenset[str]] = {}
    for user_id, is_personalised, allows_research, off in _pieces(
        connection.execute(_SWITCHED_OFF)
    ):
        if not is_personalised:
            opted_out.add(user_id)
        if not allows_research:
            out_of_research.add(user_id)
        if off:
            signals_off[user_id] = frozenset(off)
    return {
        "opted_out": frozenset(opted_out),
        "out_of_research": frozenset(out_of_research),
        "signals_off": signals_off,
    }


def _pieces(rows: duckdb.DuckDBPyConnection) -> Iterable[tuple[Any, ...]]:
    while piece := rows.fetchmany(_ROWS):
        yield from piece
