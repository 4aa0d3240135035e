"""What is published: tables, and the immutable Parquet files that hold their rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

import duckdb

from feedback_platform.warehouse.connection import single_row
from feedback_platform.warehouse.published import DATABASE

WHOLE: Final = "all"


@dataclass(frozen=True)
class PublishedTable:
    """A table that readers see.

    One with a key is kept as a base and layers, another with a time in parts, and the rest whole.

    Attributes:
        time: the column that readers choose a range of, by which the rows lie together.
        key: the columns that tell its rows apart, where `interaction.changes` has them all; such a
            table says in `batch_sequence` with which batch each row was computed.
        event_type: of the only events that its rows come from, where it is not all of them.
        internal: columns that the pipeline keeps for itself.
        taking_part: a join, in SQL over the published tables before it, that leaves out the rows of
            which users do not allow that anybody sees them used. A table that is kept whole is
            written without them; of another the view leaves them out.
    """

    schema: str
    name: str
    time: str | None = None
    key: tuple[str, ...] = ()
    event_type: str | None = None
    internal: tuple[str, ...] = ()
    taking_part: str = ""

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
        partition: the label of its part, base or layer; if it is all, one that begins with `WHOLE`.
        name: of the file, below the directory of all of them.
        rows: how many it has.
    """

    table: str
    partition: str
    name: str
    rows: int


def stored_rows(
    connection: duckdb.DuckDBPyConnection, table: PublishedTable
) -> duckdb.DuckDBPyRelation:
    """Return the rows of a table in the warehouse that get into its files."""
    if table.time is not None or not table.taking_part:
        return connection.table(table.qualified)
    return connection.sql(f"from {table.qualified} {table.taking_part}")


def home_of(schema: str) -> str:
    """Return the schema in which a reader's `schema.table` is found.

    DuckDB names a database after its file. In `feedback.duckdb` the name `feedback.user_feedback`
    would be ambiguous if there were a schema `feedback` too, and DuckDB refuses to choose. So that
    layer lies in `main`, where the same name finds it.
    """
    return "main" if schema == DATABASE else schema


def write_file(
    connection: duckdb.DuckDBPyConnection,
    rows: duckdb.DuckDBPyRelation,
    directory: Path,
    table: PublishedTable,
    partition: str,
) -> PublishedFile:
    """Write rows of a table into a new file.

    Args:
        connection: that the rows come from.
        rows: what to write.
        directory: where the files lie.
        table: whose rows they are.
        partition: the label of what they are of the table.
    """
    name = f"{table.qualified}-{partition}-{uuid4().hex}.parquet"
    path = str(directory / name)
    rows.write_parquet(path, compression="zstd")
    (count,) = single_row(connection, "select num_rows from parquet_file_metadata(?)", [path])
    return PublishedFile(table.qualified, partition, name, int(count))


def rows_of(files: Sequence[Path]) -> str:
    """Return the SQL of all rows of some files; a view can have no parameters."""
    paths = ", ".join(_literal(str(path)) for path in files)
    return f"read_parquet([{paths}], hive_partitioning = false)"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
