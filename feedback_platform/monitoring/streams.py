"""Which streams are watched for drift, and how they are read from the tables.

A click follows its impression by seconds or minutes, and micro-batches are shorter than that. So
the streams are read up to some time before the newest event, when clicks have come in, and a click
counts within that time only: however the streams are cut into batches, an observation is the same.
Events that arrive later than that take no part in drift detection; they do in everything else.

The newest event is the one that both happened and was received last. A device whose clock is ahead
would otherwise move the limit into the future, and all that happens until then would come too late.

A new model need not be clicked as the one before it: that is a change of the model, and not of the
users. So what is known by model version has a stream for each, which begins when the version does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import polars as pl

from feedback_platform.lake.store import Lake
from feedback_platform.monitoring.drift import DriftEvent, StreamState, advance
from feedback_platform.monitoring.drift_state import load_states, save
from feedback_platform.monitoring.monitoring_rules import MonitoringRules
from feedback_platform.newest_event import newest_event
from feedback_platform.taking_part import TAKES_PART

SETTLING: Final = timedelta(minutes=30)
# Of what is known by model version; those that were seen last.
MOST_VERSIONS: Final = 10
# Whoever looks at an item for longer has left the screen on.
LONGEST_DWELL: Final = timedelta(minutes=30)

_BY_PERSONS: Final = "not (is_bot or is_burst)"
_CLICKS: Final = f"""
    select recommendation_id, item_id, min(occurred_at) as clicked_at
    from interaction.interactions
    where
        event_type = 'item_clicked'
        and recommendation_id is not null
        and {_BY_PERSONS}
        and occurred_at > $1::timestamp - interval 1 day
        and occurred_at <= $2::timestamp + interval 30 minutes
    group by recommendation_id, item_id
"""  # noqa: S608 - put together from what stands in this file

# source → query with two parameters, the times after and up to which to read; in the order in which
# things happened, each with its time.
_IMPRESSIONS: Final = f"""
    with shown as (
        select recommendation_id, item_id, occurred_at, event_id
        from interaction.interactions
        where
            event_type = 'item_impression'
            and recommendation_id is not null
            and {_BY_PERSONS}
            and {TAKES_PART}
            and occurred_at > $1::timestamp
            and occurred_at <= $2::timestamp
    )

    select
        coalesce(clicks.clicked_at <= shown.occurred_at + interval 30 minutes, false) as is_clicked,
        shown.occurred_at as time
    from shown
    left join ({_CLICKS}) as clicks
        on
            shown.recommendation_id = clicks.recommendation_id
            and shown.item_id = clicks.item_id
    order by shown.occurred_at, shown.event_id
"""  # noqa: S608
# A list is shown when the first of its items is, and hit when one of them is clicked soon after.
_LISTS: Final = f"""
    with shown as (
        select
            recommendation_id,
            min(properties ->> '/model_version') as model_version,
            min(occurred_at) as shown_at
        from interaction.interactions
        where
            event_type = 'item_impression'
            and recommendation_id is not null
            and {_BY_PERSONS}
            and {TAKES_PART}
            and occurred_at > $1::timestamp - interval 1 day
            and occurred_at <= $2::timestamp
        group by recommendation_id
        having min(occurred_at) > $1::timestamp and min(properties ->> '/model_version') is not null
    ),

    hits as (
        select recommendation_id, min(clicked_at) as clicked_at
        from ({_CLICKS})
        group by recommendation_id
    )

    select
        coalesce(hits.clicked_at <= shown.shown_at + interval 30 minutes, false) as is_hit,
        shown.model_version,
        shown.shown_at as time
    from shown
    left join hits on shown.recommendation_id = hits.recommendation_id
    order by shown.shown_at, shown.recommendation_id
"""  # noqa: S608
_FEEDBACK: Final = f"""
    select
        feedback_score,
        signal,
        raw_value,
        is_imputed or is_outlier as is_doubtful,
        "timestamp" as time
    from feedback.user_feedback
    where
        confidence > 0
        and {TAKES_PART}
        and "timestamp" > $1::timestamp
        and "timestamp" <= $2::timestamp
    order by "timestamp", feedback_id
"""  # noqa: S608

Query = Callable[[str, list[Any]], pl.DataFrame]


@dataclass(frozen=True, eq=False)
class Stream:
    """Observations in [0, 1], of what a source has.

    Attributes:
        source: the query.
        value: what is observed in a row, scaled.
        means: the same in words, with the scale.
        where: which rows count; all when left out.
        by: the column by whose values the stream is split; not at all when left out.
    """

    source: str
    value: pl.Expr
    means: str
    where: pl.Expr | None = None
    by: str | None = None


_SCORE: Final = pl.col("feedback_score")
_OBSERVED: Final = ~pl.col("is_doubtful")
STREAMS: Final[Mapping[str, Stream]] = {
    "click_through": Stream(
        _IMPRESSIONS,
        pl.col("is_clicked").cast(pl.Float64),
        "1 for an impression of a recommendation that is clicked within half an hour, else 0",
    ),
    "model_hit_rate": Stream(
        _LISTS,
        pl.col("is_hit").cast(pl.Float64),
        "1 for a list of which an item is clicked within half an hour, else 0; by model version",
        by="model_version",
    ),
    "mean_score": Stream(_FEEDBACK, _SCORE, "the feedback score, from 0 to 1 as it is"),
    "score_spread": Stream(
        _FEEDBACK,
        (2 * _SCORE - 1).abs(),
        "how far the feedback score is from 0.5: 0 there, 1 at either end",
    ),
    "rating_mean": Stream(
        _FEEDBACK,
        _SCORE,
        "the score of a rating: 0 for the lowest number of stars, 1 for the highest",
        where=(pl.col("signal") == "rating") & _OBSERVED,
    ),
    "dwell": Stream(
        _FEEDBACK,
        ((pl.col("raw_value") / 1_000).log1p() / math.log1p(LONGEST_DWELL.total_seconds())).clip(
            0, 1
        ),
        "ln(1 + seconds) of a view by ln(1 + 1,800): 0 for none, 1 for half an hour or longer",
        where=(pl.col("signal") == "view") & _OBSERVED & pl.col("raw_value").is_not_null(),
    ),
}


def watch_streams(
    lake: Lake, query: Query, until: datetime, rules: MonitoringRules
) -> list[DriftEvent]:
    """Take what is new in each stream, and keep the state and the changes found.

    Args:
        lake: where the state is kept.
        query: runs SQL over the tables; takes naive UTC times, returns UTC times.
        until: up to when to read (UTC), see `settled`.
        rules: what follows from a change.
    """
    saved = load_states(lake)
    since = datetime.fromtimestamp(saved.position / 1_000_000, UTC)
    if until <= since:
        return []
    states = dict(saved.streams)
    events: list[DriftEvent] = []
    for name, stream in observations(query, since, until).items():
        state = saved.streams.get(name, StreamState(name))
        states[name], found = advance(state, stream["value"], stream["time"])
        events += [replace(event, action=rules.action(event)) for event in found]
    events.sort(key=lambda event: (event.detected_at, event.stream))
    save(lake, _kept(states), events, round(until.timestamp() * 1_000_000))
    return events


def settled(query: Query) -> datetime | None:
    """Return the time up to which observations are what they will be; None without events."""
    newest = newest_event(query)
    return None if newest is None else newest - SETTLING


def observations(query: Query, since: datetime, until: datetime) -> dict[str, pl.DataFrame]:
    """Return value and time of each stream's observations, in their order.

    Args:
        query: see `watch_streams`.
        since: the end of what was read before (UTC), left out.
        until: taken in.
    """
    span = [since.replace(tzinfo=None), until.replace(tzinfo=None)]
    wanted = dict.fromkeys(stream.source for stream in STREAMS.values())
    sources = {source: query(source, span) for source in wanted}
    found: dict[str, pl.DataFrame] = {}
    for name, stream in STREAMS.items():
        rows = sources[stream.source]
        if stream.where is not None:
            rows = rows.filter(stream.where)
        if stream.by is None:
            found[name] = rows.select(stream.value.alias("value"), "time")
            continue
        for (part,), of_part in rows.group_by(stream.by, maintain_order=True):
            part_name = f"{name}:{part}"
            found[part_name] = of_part.select(stream.value.alias("value"), "time")
    return found


def _kept(states: Mapping[str, StreamState]) -> dict[str, StreamState]:
    """Return the states without those of versions that have not been seen for longest."""
    by_version = sorted(
        (name for name in states if name.partition(":")[0] != name),
        key=lambda name: (states[name].newest, name),
    )
    retired = set(by_version[:-MOST_VERSIONS])
    return {name: state for name, state in states.items() if name not in retired}
