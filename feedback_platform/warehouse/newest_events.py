"""When the newest events that the warehouse knows were received."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, NamedTuple

import duckdb

from feedback_platform.warehouse.connection import single_row

_MODELS: Final = """
    select
        greatest(trained_at, promoted_at),
        (
            select max(received_at) from interaction.interactions
            where batch_sequence = newest.data_through
        )
    from ml.model_versions as newest
    where model = 'recommender' and status = 'champion'
    limit 1
"""


class Newest(NamedTuple):
    """An event's reception, and when it was taken in; both UTC, None where there is none."""

    received_at: datetime | None
    taken_in_at: datetime | None


def newest_stored(warehouse: duckdb.DuckDBPyConnection, now: datetime) -> Newest:
    """Return when the newest event was received, and when it was seen here first.

    What was found last is in `metrics.layer_freshness`. Only what was received since is read, which
    the storage finds by itself, unless that event is gone.

    Args:
        warehouse: which the caller holds.
        now: UTC.
    """
    before, taken_in_at = single_row(
        warehouse,
        "select max(newest_event_at), max(written_at) from metrics.layer_freshness "
        "where layer = 'interaction'",
    )
    newest = _newest_since(warehouse, before) or _newest_since(warehouse, None)
    if newest is None:
        return Newest(None, None)
    is_known = newest == before and taken_in_at is not None
    return Newest(_utc(newest), _utc(taken_in_at) if is_known else now)


def newest_learned(warehouse: duckdb.DuckDBPyConnection) -> Newest:
    """Return when the newest event was received that the recommender in use has learned from.

    And when that came into use.
    """
    rows = warehouse.execute(_MODELS).fetchall()
    if not rows:
        return Newest(None, None)
    ((in_use_at, received_at),) = rows
    return Newest(None if received_at is None else _utc(received_at), _utc(in_use_at))


def completed_through(warehouse: duckdb.DuckDBPyConnection) -> int:
    """Return the newest batch that every table has."""
    (through,) = single_row(warehouse, "select completed_through from pipeline.state")
    return int(through)


def _newest_since(warehouse: duckdb.DuckDBPyConnection, since: datetime | None) -> datetime | None:
    (newest,) = single_row(
        warehouse,
        "select max(received_at) from interaction.interactions where received_at >= ?::timestamp",
        ["-infinity" if since is None else since],
    )
    return newest if isinstance(newest, datetime) else None


def _utc(naive: datetime) -> datetime:
    return naive.replace(tzinfo=UTC)
