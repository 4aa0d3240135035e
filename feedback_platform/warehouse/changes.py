"""What changed since readers were shown a state: the model `interaction.changes`, read."""

from __future__ import annotations

from typing import Final

import duckdb

BATCH: Final = "batch_sequence"


def changes_since(connection: duckdb.DuckDBPyConnection, batch: int) -> duckdb.DuckDBPyRelation:
    """Return where events came, went or became others after a batch."""
    # A number in the text: compared with it, the storage knows which blocks to leave out.
    return connection.table("interaction.changes").filter(f"{BATCH} > {batch}")


def departures_since(connection: duckdb.DuckDBPyConnection, batch: int) -> duckdb.DuckDBPyRelation:
    """Return those of them where events went or became others: all else is only added to."""
    return changes_since(connection, batch).filter("is_leaving")
