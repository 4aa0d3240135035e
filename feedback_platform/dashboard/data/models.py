"""Models: versions, what the gate said of them, and what they did to users."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import polars as pl

from feedback_platform.dashboard import tables
from feedback_platform.dashboard.choice import Choice
from feedback_platform.dashboard.snapshot import Snapshot

GAIN: Final = "nDCG gain over popularity"
FIGURES: Final = (
    ("ndcg_at_10_gain", GAIN),
    ("ndcg_at_10", "nDCG at 10"),
    ("popularity_ndcg_at_10", "nDCG at 10 of popularity"),
    ("off_policy_click_rate", "Click rate expected of the lists"),
    ("hit_rate_at_10", "Hit rate at 10"),
    ("recall_at_10", "Recall at 10"),
    ("coverage_at_10", "Coverage at 10"),
    ("diversity_at_10", "Diversity at 10"),
    ("novelty_at_10", "Novelty at 10, bits"),
    ("popularity_bias_at_10", "Popularity bias at 10"),
    ("silhouette", "Silhouette"),
    ("lowest_stability", "Stability of the least stable segment"),
    ("segments", "Segments"),
)
_GATE_SCHEMA: Final = {
    "version": pl.String(),
    "rule": pl.String(),
    "passed": pl.Boolean(),
    "text": pl.String(),
    "difference": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
}
_FIGURES_SCHEMA: Final = {
    "version": pl.String(),
    "figure": pl.String(),
    "value": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
}


def models(snapshot: Snapshot) -> tuple[str, ...]:
    """Return the names of the models, the one with most versions first."""
    sql = "select model from ml.model_versions group by model order by count(*) desc, model"
    return tuple(snapshot.rows(tables.MODEL_VERSIONS, sql)["model"])


def versions(snapshot: Snapshot, model: str) -> pl.DataFrame:
    """Return version, trained_at, trigger, status, reason, promoted_at; the newest first."""
    sql = """
        select version, trained_at, trigger, status, reason, promoted_at, metrics, decision
        from ml.model_versions where model = $model order by trained_at desc, version desc
    """
    return snapshot.rows(tables.MODEL_VERSIONS, sql, {"model": model})


def figures(snapshot: Snapshot, model: str) -> pl.DataFrame:
    """Return version, figure, value, low, high, a row a figure that a version was measured by.

    Its gain over popularity and the click rate that its lists would have earned have intervals.
    """
    rows: list[dict[str, Any]] = []
    for row in versions(snapshot, model).iter_rows(named=True):
        rows += _figures(row["version"], _object(row["metrics"]))
    return pl.DataFrame(rows, schema=_FIGURES_SCHEMA)


def gate(snapshot: Snapshot, model: str) -> pl.DataFrame:
    """Return version, rule, passed, text, difference, low, high: what the gate found."""
    rows = []
    for row in versions(snapshot, model).iter_rows(named=True):
        for finding in _object(row["decision"]).get("findings", []):
            measured = finding.get("figures", {})
            rows.append(
                {
                    "version": row["version"],
                    "rule": finding.get("name"),
                    "passed": finding.get("passed"),
                    "text": finding.get("text"),
                    **{name: measured.get(name) for name in ("difference", "low", "high")},
                }
            )
    return pl.DataFrame(rows, schema=_GATE_SCHEMA)


def before_after(snapshot: Snapshot, kind: str, choice: Choice) -> pl.DataFrame:
    """Return what was measured before and after each change of a kind within the period.

    Args:
        snapshot: what is asked.
        kind: `model_version` or `adjustment`.
        choice: the period in which the change was made.
    """
    sql = """
        select
            subject, "at", metric, before_days, after_days, before_n, before, after_n, after,
            difference, low, high, is_complete
        from metrics.before_after
        where kind = $kind and "at"::date between $first and $last
        order by "at" desc, subject, metric
    """
    return snapshot.rows(tables.BEFORE_AFTER, sql, {**choice.days, "kind": kind})


def _figures(version: str, known: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, label in FIGURES:
        if isinstance(known.get(name), int | float):
            bounds = {each: known.get(f"{name}_{each}") for each in ("low", "high")}
            yield {"version": version, "figure": label, "value": known[name], **bounds}


def _object(text: str | None) -> dict[str, Any]:
    """Return a JSON object, an empty one where there is none."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
