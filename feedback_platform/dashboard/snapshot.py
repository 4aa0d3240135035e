"""One publication, as a page sees it: opened when something is asked that nobody has asked yet."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, Final, ParamSpec, Self, TypeVar

import duckdb
import polars as pl

from feedback_platform.dashboard.cache import SnapshotCache
from feedback_platform.dashboard.tables import Table
from feedback_platform.errors import (
    NothingPublishedError,
    PermanentError,
    TransientError,
    text_of,
)
from feedback_platform.warehouse.published import DATABASE, open_published

Identity = tuple[int, int, int]
_Asked = ParamSpec("_Asked")
_Found = TypeVar("_Found")
_COLUMNS: Final = """
    select
        case schema_name when 'main' then database_name else schema_name end
            || '.' || table_name as name,
        list(column_name order by column_index) as columns
    from duckdb_columns()
    where database_name = ? and not internal
    group by name
"""


class TableMissingError(PermanentError):
    """The publication does not have a table."""

    def __init__(self, table: Table) -> None:
        super().__init__(
            f"`{table.name}` is not published. It comes with this version of the platform: "
            f"run `feedback-platform process`."
        )
        self.table = table


class TableDiffersError(PermanentError):
    """A table is there, with other columns or types than this version of the dashboard reads."""

    def __init__(self, table: Table, difference: str) -> None:
        super().__init__(
            f"`{table.name}` was published by a version of the platform that does not fit this "
            f"dashboard: {difference}. Run `feedback-platform process` with the same version."
        )
        self.table = table


class PublicationUnreadableError(PermanentError):
    """The published database is there and cannot be read."""


class ReplacedError(TransientError):
    """Another publication took the place of the one that was to be read; ask again."""

    def __init__(self) -> None:
        super().__init__("The tables were published anew meanwhile.")


def identity_of(path: Path) -> Identity:
    """Return what tells a publication apart from the next one, which has another file.

    Raises:
        NothingPublishedError: there is none.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise NothingPublishedError(f"Nothing is published at {path} yet.") from error
    return found.st_ino, found.st_mtime_ns, found.st_size


class Snapshot:
    """All that is asked in its context is of one publication.

    Its file is never written to again, so no reader waits, and none holds up the pipeline.
    """

    def __init__(self, path: Path, cache: SnapshotCache) -> None:
        """Look at what is published now.

        Raises:
            NothingPublishedError: nothing is.
        """
        self.identity = identity_of(path)
        self._path = path
        self._cache = cache
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open.close()
        self.__dict__.pop("connection", None)

    def ask(
        self,
        question: Callable[Concatenate[Snapshot, _Asked], _Found],
        *arguments: _Asked.args,
        **named: _Asked.kwargs,
    ) -> _Found:
        """Return what a function of `data` finds; of each publication it is computed once.

        Raises:
            TableMissingError: a table is not there.
            TableDiffersError: it has not the columns that are read.
            PublicationUnreadableError: the database or a file behind it cannot be read.
            ReplacedError: there is another publication already.
        """
        key: Hashable = (
            question.__module__, question.__qualname__, arguments, tuple(sorted(named.items())),
        )  # fmt: skip
        return self._cache.get(self.identity, key, lambda: question(self, *arguments, **named))

    @cached_property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The open database."""
        try:
            connection = self._open.enter_context(open_published(self._path))
        except (duckdb.Error, NothingPublishedError) as error:
            self._check_place()
            raise PublicationUnreadableError(
                f"The published database {self._path} cannot be opened: {text_of(error)}"
            ) from error
        self._check_place()
        return connection

    @cached_property
    def columns(self) -> Mapping[str, frozenset[str]]:
        """The columns of each table."""
        rows = self.connection.execute(_COLUMNS, [DATABASE]).fetchall()
        return {name: frozenset(columns) for name, columns in rows}

    def has(self, table: Table) -> bool:
        """Return whether a table is there with all its columns."""
        return set(table.columns) <= self.columns.get(table.name, frozenset())

    def rows(
        self, table: Table, sql: str, parameters: Mapping[str, Any] | None = None
    ) -> pl.DataFrame:
        """Return the rows of a query over a table; times are UTC.

        Args:
            table: what it reads.
            sql: the query.
            parameters: of the query, by name.

        Raises:
            TableMissingError, TableDiffersError, PublicationUnreadableError, ReplacedError.
        """
        there = self.columns.get(table.name)
        if there is None:
            raise TableMissingError(table)
        missing = [name for name in table.columns if name not in there]
        if missing:
            listed = ", ".join(f"`{name}`" for name in missing)
            raise TableDiffersError(table, f"it has no {listed}")
        try:
            found = self.connection.sql(sql, params=dict(parameters or {})).to_arrow_table()
        except (duckdb.IOException, duckdb.HTTPException) as error:
            # Files of a former publication go after an hour, or when users are erased.
            self._check_place()
            raise PublicationUnreadableError(
                f"A file behind `{table.name}` cannot be read: {text_of(error)}"
            ) from error
        except duckdb.Error as error:
            raise TableDiffersError(table, text_of(error)) from error
        frame = pl.DataFrame(found)
        return frame.with_columns(pl.selectors.datetime(time_zone=None).dt.replace_time_zone("UTC"))

    def _check_place(self) -> None:
        if not self._path.exists() or identity_of(self._path) != self.identity:
            raise ReplacedError
