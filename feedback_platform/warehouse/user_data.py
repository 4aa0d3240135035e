"""Everything that the published tables have of one user, part by part, row by row.

A row is a user's where a layer attributes it to them: what they did themselves, and what nobody
known did on their devices. Nothing of it is anybody else's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import duckdb
import orjson

from feedback_platform.warehouse.connection import single_row
from feedback_platform.warehouse.published import open_published

_ROWS: Final = 500


@dataclass(frozen=True)
class Part:
    """One kind of what is known.

    Attributes:
        name: of the part.
        about: what it is, in words.
        tables: that it is read from.
        query: with the user as its last parameter.
        is_of_files: whether the query reads the files of its table, which are its first parameter:
            of some tables readers do not see what their users do not allow to be used.
    """

    name: str
    about: str
    tables: tuple[str, ...]
    query: str
    is_of_files: bool = False


PARTS: Final = (
    Part(
        "attributes",
        "When you were first and last seen, and what the product said of you.",
        ("interaction.users",),
        "from interaction.users where user_id = ?",
    ),
    Part(
        "interactions",
        "Each thing that you did, as it was received and cleaned: when, on what, on which device.",
        ("interaction.interactions",),
        "from interaction.interactions where user_id = ? order by occurred_at, event_id",
    ),
    Part(
        "sessions",
        "Your visits, each from its first to its last interaction.",
        ("interaction.sessions",),
        "from interaction.sessions where user_id = ? order by started_at, session_id",
    ),
    Part(
        "feedback",
        "What was taken for your opinion of an item, and how much it is believed. It has what you "
        "switched off as well: that is kept, and counts for nothing.",
        ("feedback.user_feedback",),
        "from read_parquet(?, hive_partitioning = false) where user_id = ? "
        'order by "timestamp", feedback_id',
        is_of_files=True,
    ),
    Part(
        "feedback_scores",
        "How much you are taken to like each item, from 0 to 1, and how certain that is, by what "
        "you allow.",
        ("feedback.feedback_scores",),
        "from feedback.feedback_scores where user_id = ? order by item_id",
    ),
    Part(
        "features",
        "Numbers about you that models learn from.",
        ("features.user_features",),
        "from features.user_features where user_id = ?",
    ),
    Part(
        "segment",
        "The group that you are in with users who do similar things, its name, and what they "
        "prefer (`lift`: how much more than others).",
        ("ml.user_segments", "ml.segment_profiles"),
        "select assigned.*, profiles.name, profiles.users, profiles.top_preferences "
        "from ml.user_segments as assigned "
        "left join ml.segment_profiles as profiles using (segment_id) "
        "where assigned.user_id = ?",
    ),
    Part(
        "recommendations",
        "The list that was made for you last, and why each item is in it.",
        ("ml.recommendations",),
        "from ml.recommendations where user_id = ? order by rank",
    ),
    Part(
        "experiments",
        "The experiments in which you met a variant.",
        ("interaction.interactions",),
        "select experiment_id, variant, min(occurred_at) as first_at, max(occurred_at) as last_at, "
        "count(*) as events from interaction.interactions "
        "where user_id = ? and experiment_id is not null "
        "group by experiment_id, variant order by first_at, experiment_id, variant",
    ),
)


class UserData:
    """What is published of a user, on one connection.

    Attributes:
        through: the newest batch in it.
        published_at: when it became visible (UTC).
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, directory: Path, user_id: str
    ) -> None:
        self._connection = connection
        self._directory = directory
        self._user_id = user_id
        self.through, self.published_at = _state(connection)
        found = connection.execute(
            "select case schema_name when 'main' then 'feedback' else schema_name end || '.' || "
            "view_name from duckdb_views() where database_name = current_database()"
        ).fetchall()
        self._tables = frozenset(name for (name,) in found)

    def rows(self, part: Part) -> Iterator[dict[str, Any]]:
        """Yield the rows of a part, of which a few are in memory; none where there is no table."""
        if not self._tables.issuperset(part.tables):
            return
        parameters: list[Any] = [self._user_id]
        if part.is_of_files:
            files = self._files(*part.tables)
            if not files:
                return
            parameters.insert(0, files)
        found = self._connection.execute(part.query, parameters)
        columns = [(name, str(kind) == "JSON") for name, kind, *_ in found.description or ()]
        while piece := found.fetchmany(_ROWS):
            for row in piece:
                yield {
                    name: orjson.Fragment(value) if is_json and value is not None else value
                    for (name, is_json), value in zip(columns, row, strict=True)
                }

    def _files(self, table: str) -> list[str]:
        rows = self._connection.execute(
            'select name from published.files where "table" = ? order by rowid', [table]
        ).fetchall()
        return [str(self._directory / name) for (name,) in rows]

    def stop(self) -> None:
        """End a query that runs in another thread."""
        self._connection.interrupt()


@contextmanager
def open_user_data(path: Path, user_id: str) -> Iterator[UserData]:
    """Connect to what is published now.

    Args:
        path: of the published database.
        user_id: as the layers call them.

    Raises:
        NothingPublishedError: nothing is.
        duckdb.Error: it cannot be read.
    """
    with open_published(path) as connection:
        connection.execute("set threads = 1")
        # What one export may hold.
        connection.execute("set memory_limit = '256MB'")
        yield UserData(connection, path.parent / "tables", user_id)


def _state(connection: duckdb.DuckDBPyConnection) -> tuple[int, datetime]:
    through, published_at = single_row(
        connection, "select through, published_at from published.state"
    )
    return int(through), published_at
