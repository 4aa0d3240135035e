"""Experiments: what runs, and what was found."""

from __future__ import annotations

import polars as pl

from feedback_platform.dashboard import tables
from feedback_platform.dashboard.choice import Choice
from feedback_platform.dashboard.snapshot import Snapshot


def experiments(snapshot: Snapshot, choice: Choice) -> pl.DataFrame:
    """Return the experiments that ran within the period, running ones and the newest first."""
    sql = """
        select
            experiment_id, hypothesis, lever, subject, status, started_at, ends_at, stopped_at,
            decision, reason
        from metrics.experiments
        where
            started_at::date <= $last
            and coalesce(stopped_at::date >= $first, true)
        order by status <> 'running', started_at desc, experiment_id
    """
    return snapshot.rows(tables.EXPERIMENTS, sql, choice.days)


def results(snapshot: Snapshot, experiment_id: str, variants: tuple[str, ...]) -> pl.DataFrame:
    """Return the newest reading of an experiment, a row a metric and variant.

    Metrics that decide come first, then guards. Effects are in the metric's own unit.
    """
    sql = """
        select
            metric, variant, kind, control, n, mean, effect, low, high, p_value, sequential_low,
            sequential_high, relative_effect, sample_ratio_p_value, decision, read_at
        from metrics.experiment_results
        where
            experiment_id = $experiment
            and (
                len($variants::varchar[]) = 0 or list_contains($variants::varchar[], variant)
            )
        qualify read_at is not distinct from max(read_at) over ()
        order by
            case kind when 'primary' then 0 when 'secondary' then 1 else 2 end, metric, variant
    """
    parameters = {"experiment": experiment_id, "variants": list(variants)}
    return snapshot.rows(tables.RESULTS, sql, parameters)
