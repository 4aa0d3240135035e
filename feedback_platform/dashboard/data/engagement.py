"""Engagement: what is shown, clicked and visited."""

from __future__ import annotations

from typing import Final, Literal

import polars as pl

from feedback_platform.dashboard import tables
from feedback_platform.dashboard.choice import Choice
from feedback_platform.dashboard.data.intervals import SUMS, with_rate
from feedback_platform.dashboard.data.span import label_of, segment_names
from feedback_platform.dashboard.snapshot import Snapshot

Part = Literal["segment", "placement"]
_CHOSEN: Final = """
    day between $first and $last
    and (len($segments::varchar[]) = 0 or list_contains($segments::varchar[], segment))
    and (len($placements::varchar[]) = 0 or list_contains($placements::varchar[], placement))
"""
# A visit is in every placement that it touched, so its means are weighted by such visits.
_VISITS: Final = """
    coalesce(sum(visits), 0)::bigint as visits,
    sum(seconds) / nullif(sum(visits), 0) as session_seconds,
    sum(bounces) / nullif(sum(visits), 0) as bounce_rate
"""
_DAYS: Final = f"""
    with days as (
        select
            day,
            part,
            sum(impressions) as base,
            sum(clicks) as top,
            sum(sessions) as visits,
            sum(sessions * session_seconds) as seconds,
            sum(sessions * bounce_rate) as bounces
        from (
            select *, case $part when 'segment' then segment when 'placement' then placement
                else 'all' end as part
            from metrics.engagement_daily
            where {_CHOSEN}
        )
        group by day, part
    )
"""


def totals(snapshot: Snapshot, choice: Choice) -> pl.DataFrame:
    """Return one row: impressions, clicks, ctr, low, high, visits, session_seconds, bounce_rate."""
    sql = f"{_DAYS} select {SUMS}, {_VISITS} from days"
    return _named(snapshot.rows(tables.ENGAGEMENT, sql, {**_parameters(choice), "part": "all"}))


def over_time(snapshot: Snapshot, choice: Choice) -> pl.DataFrame:
    """Return the columns of `totals` by `day`, the first of each bucket of the period."""
    sql = f"""
        {_DAYS}
        select date_trunc($bucket, day)::date as day, {SUMS}, {_VISITS}
        from days group by 1 order by 1
    """
    parameters = {**_parameters(choice), "part": "all", "bucket": choice.period.bucket}
    return _named(snapshot.rows(tables.ENGAGEMENT, sql, parameters))


def by_part(snapshot: Snapshot, choice: Choice, part: Part) -> pl.DataFrame:
    """Return the columns of `totals` by `part`, with its `label`; the most shown first."""
    sql = f"{_DAYS} select part, {SUMS}, {_VISITS} from days group by part order by base desc, part"
    rows = snapshot.rows(tables.ENGAGEMENT, sql, {**_parameters(choice), "part": part})
    names = segment_names(snapshot) if part == "segment" else {}
    labels = [
        names.get(each, label_of(each) if part == "segment" else each) for each in rows["part"]
    ]
    return _named(rows).insert_column(1, pl.Series("label", labels, pl.String()))


def by_model(snapshot: Snapshot, choice: Choice) -> pl.DataFrame:
    """Return model_version, impressions, clicks, ctr, low, high; the newest first."""
    sql = f"""
        with days as (
            select day, model_version as part, sum(impressions) as base, sum(clicks) as top
            from metrics.engagement_by_model_daily
            where
                day between $first and $last
                and (
                    len($placements::varchar[]) = 0
                    or list_contains($placements::varchar[], placement)
                )
            group by day, model_version
        )
        select part as model_version, max(day) as last_day, {SUMS}
        from days where part is not null
        group by part order by last_day desc, part desc
    """
    parameters = {**choice.days, "placements": list(choice.placements)}
    return _named(snapshot.rows(tables.ENGAGEMENT_BY_MODEL, sql, parameters))


def by_variant(snapshot: Snapshot, choice: Choice) -> pl.DataFrame:
    """Return experiment_id, variant and what the users of each variant did.

    The mart goes on after an experiment, when all get the same: what followed its last day would
    hide what it did, and is left out. The columns are impressions, clicks, ctr, low, high, visits,
    session_seconds, bounce_rate and conversions.
    """
    # What an earlier release published has no experiments.
    has_ends = {"experiment_id", "stopped_at"} <= set(
        snapshot.columns.get(tables.EXPERIMENTS.name, ())
    )
    until_it_stopped = """
        anti join metrics.experiments as ended
            on ended.experiment_id = lived.experiment_id and lived.day > ended.stopped_at::date
    """
    sql = f"""
        with days as (
            select
                experiment_id, variant, day, impressions as base, clicks as top, sessions,
                sessions * session_seconds as seconds, sessions * bounce_rate as bounces,
                conversions
            from metrics.engagement_by_variant_daily as lived
            {until_it_stopped if has_ends else ""}
            where
                day between $first and $last
                and (
                    len($variants::varchar[]) = 0
                    or list_contains($variants::varchar[], variant)
                )
        )
        select
            experiment_id, variant, {SUMS},
            sum(sessions)::bigint as visits,
            sum(seconds) / nullif(sum(sessions), 0) as session_seconds,
            sum(bounces) / nullif(sum(sessions), 0) as bounce_rate,
            sum(conversions)::bigint as conversions
        from days group by experiment_id, variant order by experiment_id, variant
    """
    parameters = {**choice.days, "variants": list(choice.variants)}
    return _named(snapshot.rows(tables.ENGAGEMENT_BY_VARIANT, sql, parameters))


def _parameters(choice: Choice) -> dict[str, object]:
    return {
        **choice.days,
        "segments": list(choice.segments),
        "placements": list(choice.placements),
    }


def _named(rows: pl.DataFrame) -> pl.DataFrame:
    return with_rate(rows, "ctr").rename({"base": "impressions", "top": "clicks"})
