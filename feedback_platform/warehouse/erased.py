"""What an erasure asks of the warehouse and the published tables: that they are the new ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from feedback_platform.errors import TransientError
from feedback_platform.lake.store import Lake
from feedback_platform.lake.tombstones import erased_through
from feedback_platform.warehouse.connection import open_warehouse, single_row
from feedback_platform.warehouse.loading import lake_as_erased
from feedback_platform.warehouse.published import published_through


class NotBuiltAnewError(TransientError):
    """The warehouse or what is published comes from before an erasure."""

    def __init__(self) -> None:
        super().__init__(
            "The warehouse was not built and published anew since users were erased. Run "
            "`feedback-platform erase` again; it does both."
        )


def check_built_anew(warehouse_path: Path, published_path: Path, lake: Lake) -> None:
    """Check that what readers see was built since the newest erasure; the caller holds the file.

    Raises:
        NotBuiltAnewError: it was not.
    """
    through = erased_through(lake)
    if published_through(published_path) < through:
        raise NotBuiltAnewError
    with open_warehouse(warehouse_path) as connection:
        # A run may be between its steps, and have built more than it has published.
        basis, published = single_row(
            connection, "select basis, published_through from pipeline.state"
        )
    if not basis.startswith(f"{lake_as_erased(lake)} ") or published < through:
        raise NotBuiltAnewError


def tables_as_text(warehouse_path: Path) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield every table of the warehouse with the different values of its columns that hold text.

    The caller holds the file.
    """
    with open_warehouse(warehouse_path) as connection:
        columns = connection.execute(
            "select schema_name, table_name, column_name from duckdb_columns() "
            "where not internal and (data_type like '%VARCHAR%' or data_type in ('JSON', 'BLOB')) "
            "and database_name = current_database() order by all"
        ).fetchall()
        for schema, table, column in columns:
            texts = connection.table(f'"{schema}"."{table}"').project(
                f'cast("{column}" as varchar) as "{column}"'
            )
            yield f"{schema}.{table}", pl.DataFrame(texts.distinct().to_arrow_table())
