"""Tables of the warehouse as immutable Parquet files.

Those with a key are kept as a base and layers, see `keyed_tables`; small ones are written whole
when they are not what they were. Others that grow for ever are kept in parts by time. A part in
which something changed is written again; one that was only added to gets one more file.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb

from feedback_platform.warehouse.changes import BATCH, changes_since, departures_since
from feedback_platform.warehouse.keyed_tables import export_keyed
from feedback_platform.warehouse.parts import (
    Part,
    files_taken_up,
    month_of,
    months_in_question,
    parts_to_write,
)
from feedback_platform.warehouse.published_files import (
    WHOLE,
    PublishedFile,
    PublishedTable,
    stored_rows,
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
    rows = stored_rows(connection, table)
    if table.internal:
        rows = rows.project(f"* exclude ({', '.join(table.internal)})")
    if table.time is None:
        return _export_whole(connection, rows, directory, table, kept)
    return _export_parts(connection, rows, directory, table, kept, since=since) or [
        # A view needs a file to take its columns from, even where there are no rows.
        write_file(connection, rows, directory, table, WHOLE)
    ]


def _export_whole(
    connection: duckdb.DuckDBPyConnection,
    rows: duckdb.DuckDBPyRelation,
    directory: Path,
    table: PublishedTable,
    kept: list[PublishedFile],
) -> list[PublishedFile]:
    """Write all rows of a table, unless readers have them: the label tells them from others."""
    columns = ", ".join(f'"{name}"' for name in rows.columns)
    # A sum, so that the order of the rows does not matter, and that each of two equal ones does.
    ((count, total),) = rows.aggregate(f"count(*), coalesce(sum(hash({columns})), 0)").fetchall()
    label = f"{WHOLE}-{count}-{int(total) % 2**64:016x}"
    if [file.partition for file in kept] == [label]:
        return kept
    return [write_file(connection, rows, directory, table, label)]


def _export_parts(
    connection: duckdb.DuckDBPyConnection,
    rows: duckdb.DuckDBPyRelation,
    directory: Path,
    table: PublishedTable,
    kept: list[PublishedFile],
    *,
    since: int,
) -> list[PublishedFile]:
    if kept:
        changed = _days(changes_since(connection, since))
        rewritten = set(_days(departures_since(connection, since)))
    else:
        changed = _days(rows.project(f"cast({table.time} as date) as day"))
        rewritten = set(changed)
    before: dict[str, list[PublishedFile]] = {}
    for file in kept:
        if file.partition != WHOLE:
            before.setdefault(file.partition, []).append(file)
    counts = {
        month.label: int(_within(rows, table, month).shape[0])
        for month in months_in_question(changed, before)
    }
    after = dict(before)
    for part in parts_to_write(changed, before, counts):
        # Of a month that is cut now.
        after.pop(month_of(part.begin).label, None)
        stored = _within(rows, table, part)
        if part.label in before and not any(part.begin <= day < part.end for day in rewritten):
            added = stored.filter(f"{BATCH} > {since}")
            after[part.label] = _append(connection, added, directory, table, before[part.label])
        else:
            file = write_file(connection, stored, directory, table, part.label)
            after[part.label] = _unless_empty(directory, file)
    return [file for label in sorted(after) for file in after[label]]


def _append(
    connection: duckdb.DuckDBPyConnection,
    added: duckdb.DuckDBPyRelation,
    directory: Path,
    table: PublishedTable,
    before: list[PublishedFile],
) -> list[PublishedFile]:
    """Write rows that came to a part into one more file of it, or together with some others."""
    label = before[0].partition
    fresh = _unless_empty(directory, write_file(connection, added, directory, table, label))
    if not fresh:
        return before
    taken = files_taken_up([file.rows for file in before], fresh[0].rows)
    if taken == 0:
        return [*before, *fresh]
    merged = [directory / file.name for file in [*before[-taken:], *fresh]]
    rows = connection.read_parquet([str(path) for path in merged])
    together = write_file(connection, rows, directory, table, label)
    merged[-1].unlink()
    return [*before[:-taken], together]


def _unless_empty(directory: Path, file: PublishedFile) -> list[PublishedFile]:
    """Return a file that was written, or delete it where there were no rows."""
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


def _days(places: duckdb.DuckDBPyRelation) -> list[date]:
    # A clock that was set wrong may say a day before the first that Python knows.
    known = places.filter("day is not null")
    days = known.project(f"greatest(day, date '{date.min}')").distinct().fetchall()
    return sorted(day for (day,) in days)
