"""Which of some events are published, and what a user said of their preferences since one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from feedback_platform.warehouse.published import open_published

# Cleaning may put an event's time right by a little; the files lie by it.
_MARGIN: Final = timedelta(hours=1)
_PUBLISHED: Final = """
    select event_id from interaction.interactions
    where occurred_at between ? and ? and event_id in (select unnest(?::varchar[]))
"""
_STATEMENTS: Final = """
    select event_id, occurred_at, properties from interaction.interactions
    where event_type = 'consent_changed' and occurred_at >= ?
        and (user_id = ? or (not is_identified and 'anonymous:' || anonymous_id = ?))
"""


class Statement(NamedTuple):
    """A published event by which somebody changed what they allow.

    Attributes:
        event_id: of the event.
        occurred_at: UTC.
        properties: decoded.
    """

    event_id: str
    occurred_at: datetime
    properties: Any


def statements_since(path: Path, user_id: str, instant: datetime) -> list[Statement]:
    """Return what a user said of their preferences from an instant on, as far as it is published.

    Args:
        path: of the published database.
        user_id: as the layers call them.
        instant: UTC.

    Raises:
        NothingPublishedError: nothing is.
        duckdb.Error: it cannot be read.
    """
    since = instant.astimezone(UTC).replace(tzinfo=None)
    with open_published(path) as connection:
        # The requests need the other cores.
        connection.execute("set threads = 1")
        rows = connection.execute(_STATEMENTS, [since, user_id, user_id]).fetchall()
    return [
        Statement(event_id, at.replace(tzinfo=UTC), orjson.loads(properties or b"null"))
        for event_id, at, properties in rows
    ]


def published_event_ids(path: Path, events: Mapping[str, datetime]) -> frozenset[str]:
    """Return which events readers can see.

    Args:
        path: of the published database.
        events: when each happened (UTC), by its id; only files of about that time are read.

    Raises:
        NothingPublishedError: nothing is.
        duckdb.Error: it cannot be read.
    """
    if not events:
        return frozenset()
    times = [at.astimezone(UTC).replace(tzinfo=None) for at in events.values()]
    with open_published(path) as connection:
        # The requests need the other cores.
        connection.execute("set threads = 1")
        rows = connection.execute(
            _PUBLISHED, [min(times) - _MARGIN, max(times) + _MARGIN, list(events)]
        ).fetchall()
    return frozenset(event_id for (event_id,) in rows)
