"""Tables of the warehouse as immutable Parquet files.

Tables that grow for ever are kept in parts by time, and only the parts that changed are written
again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final
from uuid import uuid4

import duckdb

from feedback_platform.warehouse.parts import Part, month_of, parts_to_write
from feedback_platform.warehouse.published import DATABASE

WHOLE: Final = "all"


@dataclass(frozen=True)
class PublishedTable:
    """A table that readers see.

    Attributes:
        time: the column by which a growing one is kept in parts.
        key: of one that is kept in parts although its rows are not events: what `changes` names.
    """

    schema: str
    name: str
    time: str | None = None
    key: str | None = None

    @property
    def qualified(self) -> str:
        """The name with its schema, by which everybody knows it."""
        return f"{self.schema}.{self.name}"

    @property
    def home(self) -> str:
        """The schema of its view in the published database; see `home_of`."""
        return home_of(self.schema)


@dataclass(frozen=True)
class PublishedFile:
    """A file behind a published table.

    Attributes:
        table: the name with its schema.
        partition: the label of its part, or `WHOLE`.
        name: of the file, below the directory of all of them.
        rows: how many it has.
    """

    table: str
    partition: str
    name: str
    rows: int


def home_of(schema: str) -> str:
    """Return the schema in which a reader's `schema.table` is found.

    DuckDB names a database after its file. In `feedback.duckdb` the name `feedback.user_feedback`
    would be ambiguous if there were a schema `feedback` too, and DuckDB refuses to choose. So that
    layer lies in `main`, where the same name finds it.
    """
    return "main" if schema == DATABASE else schema


def export(
    connection: duckdb.DuckDBPyConnection,
    table: PublishedTable,
    directory: Path,
    kept: list[PublishedFile],
) -> list[PublishedFile]:
    """Write what changed of a table; return all files that it has now.

    Args:
        connection: to the warehouse, whose `interaction.changes` says what is new since `kept`.
        table: which one.
        directory: where the files lie.
        kept: those that readers have; none to write everything.
    """
    if table.time is None:
        return [_write(connection, table, directory)]
    days = _changed_days(connection, table, directory, kept)
    partitions = {file.partition for file in kept}
    parts = parts_to_write(days, partitions, _rows_by_month(connection, table, days))
    labels = {part.label for part in parts}
    unchanged = [
        file
        for file in kept
        if file.partition != WHOLE and not any(label.startswith(file.partition) for label in labels)
    ]
    files = unchanged + [
        file for part in parts for file in _write_part(connection, table, directory, part)
    ]
    # A view needs a file to take its columns from, even where there are no rows.
    return sorted(files, key=lambda file: file.partition) or [_write(connection, table, directory)]


def _write(
    connection: duckdb.DuckDBPyConnection, table: PublishedTable, directory: Path
) -> PublishedFile:
    """Write a whole table into one file."""
    name = f"{table.qualified}-{uuid4().hex}.parquet"
    relation = connection.table(table.qualified)
    relation.write_parquet(str(directory / name), compression="zstd")
    return PublishedFile(table.qualified, WHOLE, name, int(relation.shape[0]))


def _write_part(
    connection: duckdb.DuckDBPyConnection, table: PublishedTable, directory: Path, part: Part
) -> list[PublishedFile]:
    """Write the rows of one part into one file; none where there are no rows any more."""
    relation = _within(connection, table, part)
    rows = int(relation.shape[0])
    if rows == 0:
        return []
    name = f"{table.qualified}-{part.label}-{uuid4().hex}.parquet"
    relation.write_parquet(str(directory / name), compression="zstd")
    return [PublishedFile(table.qualified, part.label, name, rows)]


def _within(
    connection: duckdb.DuckDBPyConnection, table: PublishedTable, part: Part
) -> duckdb.DuckDBPyRelation:
    # A range of the column itself: the storage knows which of its blocks to leave out.
    condition = f"{table.time} < date '{part.end}'"
    if part.begin > date.min:
        condition += f" and {table.time} >= date '{part.begin}'"
    return connection.table(table.qualified).filter(condition)


def _changed_days(
    connection: duckdb.DuckDBPyConnection,
    table: PublishedTable,
    directory: Path,
    kept: list[PublishedFile],
) -> list[date]:
    """Return the days whose rows differ from what readers have, or all where they have nothing."""
    if not kept:
        changed = connection.table(table.qualified).project(f"cast({table.time} as date) as day")
    elif table.key is None:
        changed = connection.table("interaction.changes").project("day")
    else:
        # Where the row of a key lies now, and where the readers' row of it lies.
        touched = connection.table("interaction.changes").project(table.key)
        before = connection.read_parquet([str(directory / file.name) for file in kept])
        homes = [
            relation.join(touched, table.key, how="semi").project(
                f"cast({table.time} as date) as day"
            )
            for relation in (connection.table(table.qualified), before)
        ]
        changed = homes[0].union(homes[1])
    # A clock that was set wrong may say a day before the first that Python knows.
    days = changed.project(f"greatest(day, date '{date.min}')").distinct().fetchall()
    return sorted(day for (day,) in days)


def _rows_by_month(
    connection: duckdb.DuckDBPyConnection, table: PublishedTable, days: list[date]
) -> dict[str, int]:
    months = {month.label: month for month in map(month_of, days)}
    return {
        label: int(_within(connection, table, month).shape[0]) for label, month in months.items()
    }
