"""Drift: streams that changed, features that are not what they were, and alerts."""

from __future__ import annotations

from typing import Any

import polars as pl

from feedback_platform.dashboard import formats, tables
from feedback_platform.dashboard.charts.bars import bars
from feedback_platform.dashboard.charts.moments import moments
from feedback_platform.dashboard.data import drift
from feedback_platform.dashboard.pages import elements
from feedback_platform.dashboard.pages.elements import Column, chart, section
from feedback_platform.dashboard.pages.states import severity
from feedback_platform.dashboard.pages.view import View
from feedback_platform.monitoring.monitoring_rules import default_monitoring_rules

_SHOWN = 20


def show(view: View) -> None:
    """Show the page."""
    with section("Alerts"):
        _alerts(view)
    with section("Changes", "Found by ADWIN in streams, and by PSI and Kolmogorov-Smirnov in "
        "features."):  # fmt: skip
        _events(view)
    with section(
        "Features",
        "The population stability index of each feature against the users that the model in use "
        f"was trained on. From {_shifted():g} on, the dashed line, the rules that ship call it a "
        "shift where two looks in a row say so.",
    ):
        _features(view)


def _alerts(view: View) -> None:
    rows = view.snapshot.ask(drift.alerts, view.choice)
    if rows.is_empty():
        elements.nothing(tables.ALERTS, "in this period")
        return
    columns = (
        Column("raised_at", "Raised (UTC)", formats.moment, is_kept=True),
        Column("severity", "Severity", tone=severity),
        Column("kind", "Kind", lambda name: formats.sentence(str(name))),
        Column("subject", "Of"),
        Column("message", "What"),
        Column("resolved_at", "Resolved (UTC)", _resolved, is_kept=True),
    )
    elements.listing(rows, columns, key="alerts")


def _events(view: View) -> None:
    rows = view.snapshot.ask(drift.events, view.choice)
    if rows.is_empty():
        elements.nothing(tables.DRIFT_EVENTS, "in this period")
        return
    told = [
        f"{row['before_mean']:.4g} → {row['after_mean']:.4g}"
        if row["before_mean"] is not None and row["after_mean"] is not None
        else str(row["action"])
        for row in rows.iter_rows(named=True)
    ]
    chart(
        moments(
            rows.with_columns(pl.Series("told", told, pl.String())), view.look,
            at="detected_at", row="stream", title="Noticed (UTC)", kind="method", text="told",
        ),
        "When a change was noticed in which stream",
        key="drift",
    )  # fmt: skip
    columns = (
        Column("detected_at", "Noticed (UTC)", formats.moment, is_kept=True),
        Column("stream", "Stream"),
        Column("method", "Found by"),
        Column("before_mean", "Before", _mean, is_number=True),
        Column("after_mean", "After", _mean, is_number=True),
        Column("width", "Observations since", formats.whole, is_number=True),
        Column("action", "Then"),
    )
    elements.listing(rows, columns, key="drift-events")


def _features(view: View) -> None:
    rows = view.snapshot.ask(drift.features)
    if rows.is_empty():
        elements.nothing(tables.FEATURE_DRIFT)
        return
    shown = rows.filter(rows["psi"].is_not_null()).head(_SHOWN)
    texts = [formats.decimal(value) for value in shown["psi"]]
    if not shown.is_empty():
        chart(
            bars(
                shown.with_columns(pl.Series("text", texts, pl.String())), view.look,
                label="feature", value="psi", title="Population stability index", text="text",
                mark="is_drifted", limit=_shifted(),
            ),
            "Population stability index of each feature",
            key="psi",
        )  # fmt: skip
    columns = (
        Column("feature", "Feature"),
        Column("psi", "PSI", lambda value: formats.decimal(value, 3), is_number=True),
        Column("ks", "KS", lambda value: formats.decimal(value, 3), is_number=True),
        Column("ks_p_value", "p of KS", _p_value, is_number=True),
        Column("is_drifted", "Drifted", lambda value: "yes" if value else "no"),
        Column("users", "Users", formats.whole, is_number=True),
        Column("reference_version", "Against"),
        Column("measured_at", "Measured (UTC)", formats.moment, is_kept=True),
    )
    elements.listing(rows, columns, key="features")


def _shifted() -> float:
    # An installation may have other rules, which the published tables do not tell.
    return default_monitoring_rules().features.smallest_psi


def _resolved(value: Any) -> str:
    return "open" if value is None else formats.moment(value)


def _mean(value: float | None) -> str:
    return formats.NOTHING if value is None else f"{value:.4g}"


def _p_value(value: float | None) -> str:
    return formats.NOTHING if value is None else f"{value:.2g}"
