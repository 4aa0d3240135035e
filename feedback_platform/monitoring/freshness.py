"""How far each layer has come: the newest event that it took in, and what it lags behind.

An event's time here is when it was received: what a layer can do nothing about, such as a phone
that was offline or data of last year, is no lag.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

from feedback_platform.lake import keys
from feedback_platform.lake.batches import latest_manifest, pending_objects
from feedback_platform.lake.store import Lake

RAW: Final = "raw"
CLEAN: Final = "clean"
# What one run of the pipeline takes to the same event, all or none.
TOGETHER: Final = ("interaction", "feedback", "features", "metrics", "published")
MODELS: Final = "ml"

FRESHNESS_SCHEMA: Final = pl.Schema(
    {
        "layer": pl.String(),
        "newest_event_at": pl.Datetime("us", "UTC"),
        "written_at": pl.Datetime("us", "UTC"),
        "lag_seconds": pl.Float64(),
        "measured_at": pl.Datetime("us", "UTC"),
    }
)

# Each costs a request to the store; the newest of several writers are among so many.
_MOST_ASKED: Final = 5
_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True)
class Position:
    """How far a layer has come.

    Attributes:
        layer: its name.
        newest_event_at: when the newest event in it was received (UTC); None without events.
        written_at: when it took that event in (UTC).
    """

    layer: str
    newest_event_at: datetime | None
    written_at: datetime | None


@dataclass(frozen=True)
class Waiting:
    """What was received and is not published.

    Attributes:
        objects: raw objects that are not clean.
        batches: of clean rows that are not published.
        since: when the first of it was written (UTC); None of nothing.
    """

    objects: int
    batches: int
    since: datetime | None


def freshness(positions: Sequence[Position], measured_at: datetime) -> pl.DataFrame:
    """Return the table of layers (`FRESHNESS_SCHEMA`), in the order that events pass them.

    `lag_seconds` is how much older a layer's newest event is than the newest that was received: 0
    where everything is in it, however long ago the last event came.
    """
    newest = max((each.newest_event_at for each in positions if each.newest_event_at), default=None)
    rows = [
        (
            each.layer,
            each.newest_event_at,
            each.written_at,
            None
            if newest is None or each.newest_event_at is None
            else (newest - each.newest_event_at).total_seconds(),
            measured_at,
        )
        for each in positions
    ]
    return pl.DataFrame(rows, schema=FRESHNESS_SCHEMA, orient="row")


def lake_positions(lake: Lake, through: int, newest: datetime | None) -> list[Position]:
    """Return how far the raw and the clean layer have come.

    Args:
        lake: which.
        through: the newest batch that the warehouse has.
        newest: when the newest event up to it was received.
    """
    latest = latest_manifest(lake)
    clean = Position(CLEAN, newest, None)
    if latest is not None:
        written_at = lake.written_at(keys.batch_manifest(latest.sequence))
        if latest.sequence != through:
            last = min(written_at, datetime.fromisoformat(latest.newest_hour) + _HOUR)
            newest = last if newest is None else max(newest, last)
        clean = Position(CLEAN, newest, written_at)
    # An object holds what was received in its hour, and before it was written.
    fresh = heapq.nlargest(
        _MOST_ASKED, pending_objects(lake), key=lambda key: (keys.hour_of(key), key)
    )
    written = {key: lake.written_at(key) for key in fresh}
    received = [min(at, keys.hour_of(key) + _HOUR) for key, at in written.items()]
    known = [newest] if newest is not None else []
    return [
        Position(
            RAW, max([*known, *received], default=None), max(written.values(), default=newest)
        ),
        clean,
    ]


def waiting(lake: Lake, through: int) -> Waiting:
    """Return what was received and is not published.

    Args:
        lake: which.
        through: the newest batch that is published.
    """
    pending = pending_objects(lake)
    oldest = heapq.nsmallest(_MOST_ASKED, pending, key=lambda key: (keys.hour_of(key), key))
    latest = latest_manifest(lake)
    batches = 0 if latest is None else latest.sequence - through
    written = [lake.written_at(key) for key in oldest]
    if batches > 0:
        written.append(lake.written_at(keys.batch_manifest(through + 1)))
    return Waiting(len(pending), max(batches, 0), min(written, default=None))


def overdue(found: Waiting, now: datetime, patience: timedelta) -> str | None:
    """Return in words that something waits for too long; None where nothing does."""
    if found.since is None or now - found.since <= patience:
        return None
    minutes = (now - found.since) / timedelta(minutes=1)
    return (
        f"{found.objects} raw objects are not clean and {found.batches} batches not published, the "
        f"first since {found.since.astimezone(UTC):%Y-%m-%d %H:%M} UTC, {minutes:.0f} minutes ago. "
        "See the runs of the job `process`."
    )
