"""The tables of an open database as the analysis of experiments reads them."""

from __future__ import annotations

from typing import Any

import duckdb
import polars as pl

from feedback_platform.warehouse.published import relation_frame


class ExperimentTables:
    """Tables behind a connection; what is kept meanwhile is gone with it.

    Args:
        connection: to the warehouse, held exclusively, or to the published database.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def query(self, sql: str, parameters: list[Any]) -> pl.DataFrame:
        """Return the rows of a query."""
        return relation_frame(self._connection, sql, parameters)

    def keep(self, name: str, sql: str, parameters: list[Any]) -> None:
        """Keep the rows of a query in a temporary table."""
        self._connection.execute(f'create or replace temp table "{name}" as {sql}', parameters)
