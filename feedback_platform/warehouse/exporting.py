"""Tables of the warehouse as immutable Parquet files.

Those with a key are kept as a base and layers, see `keyed_tables`. Others that grow for ever are
kept in parts by time, and only the parts that changed are written again.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb

from feedback_platform.warehouse.keyed_tables import export_keyed
from feedback_platform.warehouse.parts import (
    Part,
    month_of,
    months_in_question,
    parts_to_write,
)
from feedback_platform.warehouse.published_files import (
    WHOLE,
    PublishedFile,
    PublishedTable,
    write_file,
)


def export(
    connection: duckdb.DuckDBPyConnection,
    table: PublishedTable,
    directory: Path,
    kept: list[PublishedFile],
    *,
    since: int,
    through: int,
) -> list[PublishedFile]:
    """Write what changed of a table; return all files that it has now, in order.

    Args:
        connection: to the warehouse, whose `interaction.changes` says what is new since `kept`.
        table: which one.
        directory: where the files lie.
        kept: those that readers have; none to write everything.
        since: the newest batch that is in them.
        through: the newest batch that there is.
    """
    if table.key:
        return export_keyed(connection, table, directory, kept, since=since, through=through)
    rows = connection.table(table.qualified)
    if table.time is None:
        return [write_file(connection, rows, directory, table, WHOLE)]
    return _export_parts(connection, rows, directory, table, kept, since=since) or [
        # A view needs a file to take its columns from, even where there are no rows.
        write_file(connection, rows, directory, table, WHOLE)
    ]


def _export_parts(
    connection: duckdb.DuckDBPyConnection,
    rows: duckdb.DuckDBPyRelation,
    directory: Path,
    table: PublishedTable,
    kept: list[PublishedFile],
    *,
    since: int,
) -> list[PublishedFile]:
    days = _changed_days(connection, rows, table, since=since if kept else None)
    labels = {file.partition for file in kept}
    counts = {
        month.label: int(_within(rows, table, month).shape[0])
        for month in months_in_question(days, labels)
    }
    parts = parts_to_write(days, labels, counts)
    written = [
        file for part in parts for file in _write_part(connection, rows, directory, table, part)
    ]
    # A day that is written again, or the month that was cut into it.
    replaced = {part.label for part in parts} | {month_of(part.begin).label for part in parts}
    unchanged = [file for file in kept if file.partition not in replaced | {WHOLE}]
    return sorted([*unchanged, *written], key=lambda file: file.partition)


def _write_part(
    connection: duckdb.DuckDBPyConnection,
    rows: duckdb.DuckDBPyRelation,
    directory: Path,
    table: PublishedTable,
    part: Part,
) -> list[PublishedFile]:
    """Write the rows of one part into one file; none where there are no rows any more."""
    file = write_file(connection, _within(rows, table, part), directory, table, part.label)
    if file.rows:
        return [file]
    (directory / file.name).unlink()
    return []


def _within(
    rows: duckdb.DuckDBPyRelation, table: PublishedTable, part: Part
) -> duckdb.DuckDBPyRelation:
    # A range of the column itself: the storage knows which of its blocks to leave out.
    condition = f"{table.time} < date '{part.end}'"
    if part.begin > date.min:
        condition += f" and {table.time} >= date '{part.begin}'"
    return rows.filter(condition)


def _changed_days(
    connection: duckdb.DuckDBPyConnection,
    rows: duckdb.DuckDBPyRelation,
    table: PublishedTable,
    *,
    since: int | None,
) -> list[date]:
    """Return the days whose rows changed since a batch, or all days that there are."""
    if since is None:
        changed = rows.project(f"cast({table.time} as date) as day")
    else:
        changed = connection.table("interaction.changes").filter(f"batch_sequence > {since}")
    # A clock that was set wrong may say a day before the first that Python knows.
    days = changed.project(f"greatest(day, date '{date.min}')").distinct().fetchall()
    return sorted(day for (day,) in days)
