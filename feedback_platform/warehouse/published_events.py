"""Which of some events are published."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from feedback_platform.warehouse.published import open_published

# Cleaning may put an event's time right by a little; the files lie by it.
_MARGIN: Final = timedelta(hours=1)
_PUBLISHED: Final = """
    select event_id from interaction.interactions
    where occurred_at between ? and ? and event_id in (select unnest(?::varchar[]))
"""


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
