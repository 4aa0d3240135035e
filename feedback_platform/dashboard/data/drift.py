"""Drift: what has changed, and what needs a person."""

from __future__ import annotations

import polars as pl

from feedback_platform.dashboard import tables
from feedback_platform.dashboard.choice import Choice
from feedback_platform.dashboard.snapshot import Snapshot


def events(snapshot: Snapshot, choice: Choice) -> pl.DataFrame:
    """Return the changes that were found within the period, the newest first."""
    sql = """
        select detected_at, stream, method, before_mean, after_mean, width, action
        from metrics.drift_events
        where detected_at::date between $first and $last
        order by detected_at desc, stream
    """
    return snapshot.rows(tables.DRIFT_EVENTS, sql, choice.days)


def features(snapshot: Snapshot) -> pl.DataFrame:
    """Return the newest measurement of each feature, the most different first."""
    sql = """
        select feature, psi, ks, ks_p_value, is_drifted, users, reference_version, measured_at
        from metrics.feature_drift
        qualify measured_at = max(measured_at) over (partition by feature)
        order by psi desc nulls last, feature
    """
    return snapshot.rows(tables.FEATURE_DRIFT, sql)


def alerts(snapshot: Snapshot, choice: Choice) -> pl.DataFrame:
    """Return alerts that are open, or were raised or resolved in the period; open ones first."""
    sql = """
        select raised_at, severity, kind, subject, message, resolved_at, resolved_at is null as open
        from metrics.alerts
        where
            resolved_at is null
            or raised_at::date between $first and $last
            or resolved_at::date between $first and $last
        order by resolved_at is not null, raised_at desc, alert_id
    """
    return snapshot.rows(tables.ALERTS, sql, choice.days)
