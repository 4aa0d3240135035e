"""Which streams are watched for drift, and how they are read from the published tables.

A click follows its impression by seconds or minutes, and micro-batches are shorter than that. So
the streams are read up to some time before the newest event, when clicks have come in. Events that
arrive later than that take no part in drift detection; they do in everything else.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

from feedback_platform.lake.store import Lake
from feedback_platform.monitoring.drift import DriftEvent, StreamState, advance
from feedback_platform.monitoring.drift_state import load_states, save

SETTLING: Final = timedelta(minutes=30)

# name → query with two parameters, the times after and up to which to read; columns value, time.
STREAMS: Final = {
    "click_through": """
        select (clicks.recommendation_id is not null)::double as value, shown.occurred_at as time
        from interaction.interactions as shown
        left join (
            select distinct recommendation_id, item_id
            from interaction.interactions
            where
                event_type = 'item_clicked'
                and not (is_bot or is_burst)
                and recommendation_id is not null
                and occurred_at > $1::timestamp - interval 1 day
        ) as clicks
            on
                shown.recommendation_id = clicks.recommendation_id
                and shown.item_id = clicks.item_id
        where
            shown.event_type = 'item_impression'
            and not (shown.is_bot or shown.is_burst)
            and shown.occurred_at > $1::timestamp
            and shown.occurred_at <= $2::timestamp
        order by shown.occurred_at, shown.event_id
    """,
    "mean_score": """
        select feedback_score as value, "timestamp" as time
        from feedback.user_feedback
        where confidence > 0 and "timestamp" > $1::timestamp and "timestamp" <= $2::timestamp
        order by "timestamp", feedback_id
    """,
}
NEWEST_EVENT: Final = "select max(occurred_at) as newest from interaction.interactions"

Query = Callable[[str, list[datetime]], pl.DataFrame]


def watch_streams(lake: Lake, query: Query) -> list[DriftEvent]:
    """Take what is new in each stream, and keep the state and the changes found.

    Args:
        lake: where the state is kept.
        query: runs SQL over the tables; takes naive UTC times, returns UTC times.
    """
    saved = load_states(lake)
    newest: datetime | None = query(NEWEST_EVENT, [])["newest"].item()
    if newest is None:
        return []
    since = datetime.fromtimestamp(saved.position / 1_000_000, UTC)
    until = newest - SETTLING
    if until <= since:
        return []
    states: dict[str, StreamState] = {}
    events: list[DriftEvent] = []
    for name, sql in STREAMS.items():
        span = [since.replace(tzinfo=None), until.replace(tzinfo=None)]
        stream = query(sql, span)
        state = saved.streams.get(name, StreamState(name))
        states[name], found = advance(state, stream["value"], stream["time"])
        events += found
    save(lake, states, events, round(until.timestamp() * 1_000_000))
    return events
