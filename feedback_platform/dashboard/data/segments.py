"""Segments: who the users are."""

from __future__ import annotations

import polars as pl

from feedback_platform.dashboard import tables
from feedback_platform.dashboard.snapshot import Snapshot

# What describes a segment to a person, of the many features there are.
_TOLD = (
    "effective_categories", "sessions", "active_days", "views", "clicks", "likes", "ratings",
    "conversions", "average_score",
)  # fmt: skip


def profiles(snapshot: Snapshot) -> pl.DataFrame:
    """Return segment, label, users, share, stability, silhouette, algorithm; the largest first."""
    sql = """
        select
            segment_id::varchar as segment, name as label, users,
            users / sum(users) over () as share, stability, silhouette, algorithm, model_version
        from ml.segment_profiles order by users desc, segment_id
    """
    return snapshot.rows(tables.PROFILES, sql)


def preferences(snapshot: Snapshot) -> pl.DataFrame:
    """Return segment, label, category, share, lift: the top preferences of each segment."""
    sql = """
        select
            segment, label, liked.category as category, liked.share as share, liked.lift as lift
        from (
            select
                segment_id::varchar as segment, name as label, users,
                unnest(top_preferences) as liked
            from ml.segment_profiles
        )
        order by users desc, segment, liked.share desc
    """
    return snapshot.rows(tables.PROFILES, sql)


def features(snapshot: Snapshot) -> pl.DataFrame:
    """Return a row a segment: label, and what its users do on average."""
    sql = """
        select label, told.feature as feature, told.mean as mean
        from (
            select name as label, users, unnest(features) as told from ml.segment_profiles
        )
        order by users desc, label
    """
    rows = snapshot.rows(tables.PROFILES, sql).filter(pl.col("feature").is_in(_TOLD))
    if rows.is_empty():
        return pl.DataFrame(schema={"label": pl.String()})
    wide = rows.pivot("feature", index="label", values="mean", aggregate_function="first")
    return wide.select("label", *(name for name in _TOLD if name in wide.columns))
