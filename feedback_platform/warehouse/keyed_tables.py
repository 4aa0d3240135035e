"""Tables with a key as a base and layers: written as they change, read as if they were whole.

The base has the rows of the table at one time. Each layer has the rows that changed later, and for
a key that has no row any more one that says so. See `layered` for when they are merged.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import duckdb

from feedback_platform.warehouse.changes import BATCH, departures_since
from feedback_platform.warehouse.layered import is_worth_layers, layers_taken_up
from feedback_platform.warehouse.published_files import (
    PublishedFile,
    PublishedTable,
    rows_of,
    write_file,
)

BASE: Final = "base"
# In a layer: whether the key has no row any more.
_IS_GONE: Final = "is_gone"


def export_keyed(
    connection: duckdb.DuckDBPyConnection,
    table: PublishedTable,
    directory: Path,
    kept: list[PublishedFile],
    *,
    since: int,
    through: int,
) -> list[PublishedFile]:
    """Write what changed of a table; return its base and its layers, the oldest first.

    Args:
        connection: to the warehouse.
        table: which one.
        directory: where the files lie.
        kept: those that readers have; none to write everything.
        since: the newest batch that is in them.
        through: the newest batch that there is.
    """
    if not kept:
        return [_write_base(connection, table, directory)]
    changed = _changed(connection, table, since)
    new = int(changed.shape[0])
    if new == 0:
        return kept
    base, *layers = kept
    sizes = [layer.rows for layer in layers]
    if not is_worth_layers(base.rows, sizes, new):
        return [_write_base(connection, table, directory)]
    # Padded, so that the order of the labels is that of the layers.
    label = f"layer-{through:012d}"
    fresh = write_file(connection, changed.order(_order(table)), directory, table, label)
    taken = layers_taken_up(sizes, new)
    if taken == 0:
        return [*kept, fresh]
    merged = [directory / file.name for file in [*layers[-taken:], fresh]]
    rows = connection.sql(_newest(table, merged)).order(_order(table))
    layer = write_file(connection, rows, directory, table, label)
    merged[-1].unlink()
    return [base, *layers[:-taken], layer]


def view_of(table: PublishedTable, files: Sequence[Path]) -> str:
    """Return the query that a reader's view is, over the base and the layers on it."""
    base, *layers = files
    if not layers:
        return f"from {rows_of([base])}"
    return f"""
        select base.*
        from {rows_of([base])} as base
        anti join {rows_of(layers)} as layers using ({", ".join(table.key)})
        union all
        select * exclude ({_IS_GONE}) from ({_newest(table, layers)}) where not {_IS_GONE}
    """  # noqa: S608 - names of our own schema


def _write_base(
    connection: duckdb.DuckDBPyConnection, table: PublishedTable, directory: Path
) -> PublishedFile:
    rows = connection.table(table.qualified)
    columns = ", ".join(map(_quoted, _columns(table, rows)))
    return write_file(
        connection, rows.project(columns).order(_order(table)), directory, table, BASE
    )


def _changed(
    connection: duckdb.DuckDBPyConnection, table: PublishedTable, since: int
) -> duckdb.DuckDBPyRelation:
    """Return the rows of a layer: those computed since a batch, and the keys that have none now."""
    key = ", ".join(table.key)
    stored = connection.table(table.qualified)
    columns = _columns(table, stored)
    # Compared with a number, so that the storage knows which of its blocks to leave out.
    computed = stored.filter(f"{BATCH} > {since}").project(
        ", ".join([*map(_quoted, columns), f"false as {_IS_GONE}"])
    )
    conditions = [f"{name} is not null" for name in table.key]
    if table.event_type is not None:
        conditions.append(f"event_type = '{table.event_type}'")
    left = departures_since(connection, since).filter(" and ".join(conditions))
    # Whatever a batch touched was computed with it, if anything is left of it.
    gone = left.project(key).distinct().join(computed, key, how="anti")
    values = [
        _quoted(name) if name in table.key else f"null as {_quoted(name)}" for name in columns
    ]
    return computed.union(gone.project(", ".join([*values, f"true as {_IS_GONE}"])))


def _columns(table: PublishedTable, rows: duckdb.DuckDBPyRelation) -> list[str]:
    """Return the columns that readers see."""
    return [name for name in rows.columns if name not in {BATCH, *table.internal}]


def _newest(table: PublishedTable, layers: Sequence[Path]) -> str:
    """Return the query for the row of the newest layer of each key, be it gone or not."""
    stacked = " union all ".join(
        f"from (from {rows_of([path])}) select *, {number} as layer"
        for number, path in enumerate(layers)
    )
    return f"""
        select * exclude (layer)
        from ({stacked})
        qualify row_number() over (partition by {", ".join(table.key)} order by layer desc) = 1
    """  # noqa: S608 - names of our own schema


def _order(table: PublishedTable) -> str:
    """Return by what the rows lie together: what readers choose by."""
    return table.time or ", ".join(table.key)


def _quoted(name: str) -> str:
    return f'"{name}"'
