"""The quality of the data, and of the loop that it feeds."""

from __future__ import annotations

import polars as pl

from feedback_platform.dashboard import tables
from feedback_platform.dashboard.choice import Choice
from feedback_platform.dashboard.snapshot import Snapshot

# What the loop's health is told by, as shares from 0 to 1 with the direction that worries.
HEALTH = (
    ("coverage", "Catalogue shown"),
    ("popularity_bias", "Popularity bias"),
    ("popularity_gini", "Gini of what is shown"),
    ("exploration_share", "Exploration"),
    ("filter_bubble_index", "Filter bubble"),
)


def quarantine(snapshot: Snapshot, choice: Choice) -> pl.DataFrame:
    """Return day, reason, events by bucket of the period."""
    sql = """
        select date_trunc($bucket, day)::date as day, reason, sum(events)::bigint as events
        from metrics.quarantine_daily
        where day between $first and $last
        group by 1, 2 order by 1, 2
    """
    parameters = {**choice.days, "bucket": choice.period.bucket}
    return snapshot.rows(tables.QUARANTINE, sql, parameters)


def quarantine_by_reason(snapshot: Snapshot, choice: Choice) -> pl.DataFrame:
    """Return reason, events of the period; the most frequent first."""
    sql = """
        select reason, sum(events)::bigint as events
        from metrics.quarantine_daily
        where day between $first and $last
        group by reason order by events desc, reason
    """
    return snapshot.rows(tables.QUARANTINE, sql, choice.days)


def freshness(snapshot: Snapshot) -> pl.DataFrame:
    """Return the newest measurement of each layer: how far its tables lag behind."""
    sql = """
        select layer, newest_event_at, written_at, lag_seconds::double as lag_seconds, measured_at
        from metrics.layer_freshness
        qualify measured_at = max(measured_at) over (partition by layer)
        order by newest_event_at desc nulls last, layer
    """
    return snapshot.rows(tables.FRESHNESS, sql)


def loop_health(snapshot: Snapshot, choice: Choice) -> pl.DataFrame:
    """Return day, impressions and the measures of `HEALTH`, weighted by impressions."""
    # The names are ours, out of the tuple above.
    measures = ", ".join(
        f"sum({name} * impressions) filter (where {name} is not null)"
        f" / nullif(sum(impressions) filter (where {name} is not null), 0) as {name}"
        for name, _ in HEALTH
    )
    sql = f"""
        select
            date_trunc($bucket, day)::date as day,
            sum(impressions)::bigint as impressions,
            {measures}
        from metrics.loop_health_daily
        where day between $first and $last
        group by 1 order by 1
    """
    parameters = {**choice.days, "bucket": choice.period.bucket}
    return snapshot.rows(tables.LOOP_HEALTH, sql, parameters)


def signals(snapshot: Snapshot) -> pl.DataFrame:
    """Return what each signal says of later retention and conversion, as of the newest look."""
    sql = """
        select signal, target, horizon_days, users, correlation, low, high, p_value, as_of
        from metrics.signal_quality
        qualify as_of = max(as_of) over (partition by signal, target, horizon_days)
        order by target, horizon_days, correlation desc nulls last, signal
    """
    return snapshot.rows(tables.SIGNAL_QUALITY, sql)


def weights(snapshot: Snapshot) -> pl.DataFrame:
    """Return the weight of each signal, and the one that is proposed."""
    sql = """
        select signal, current_weight, proposed_weight, low, high, evidence, as_of
        from metrics.signal_weights
        qualify as_of = max(as_of) over (partition by signal)
        order by signal
    """
    return snapshot.rows(tables.SIGNAL_WEIGHTS, sql)


def rejected(snapshot: Snapshot) -> int:
    """Return how many events have been rejected since the beginning."""
    sql = "select coalesce(sum(events), 0)::bigint from metrics.quarantine_daily"
    return int(snapshot.rows(tables.QUARANTINE, sql).item())
