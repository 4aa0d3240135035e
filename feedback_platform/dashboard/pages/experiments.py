"""Experiments: what runs, what was found, and what follows."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from feedback_platform.dashboard import formats, tables
from feedback_platform.dashboard.charts.effects import effects
from feedback_platform.dashboard.data import engagement, experiments
from feedback_platform.dashboard.pages import elements
from feedback_platform.dashboard.pages.elements import Card, Column, cards, chart, section
from feedback_platform.dashboard.pages.states import status
from feedback_platform.dashboard.pages.view import View

_MISMATCH = 0.001
_READING = (
    "The thick interval holds when it is read once, at the end. The thin one, a confidence "
    "sequence, holds however often one looks; it is wider for that."
)


def show(view: View) -> None:
    """Show the page."""
    chosen = None
    with section("Experiments"):
        rows = view.snapshot.ask(experiments.experiments, view.choice)
        if rows.is_empty():
            elements.nothing(tables.EXPERIMENTS, "in this period")
            return
        columns = (
            Column("experiment_id", "Experiment"),
            Column("status", "Status", tone=status),
            Column("hypothesis", "Hypothesis"),
            Column("lever", "Changes"),
            Column("started_at", "Started (UTC)", formats.moment, is_kept=True),
            Column("decision", "Decision"),
        )
        elements.listing(rows, columns, key="experiments")
        names = rows["experiment_id"].to_list()
        chosen = st.selectbox("Look at", names, key="experiment", bind="query-params")
        _experiment(view, rows.filter(rows["experiment_id"] == chosen).row(0, named=True))
    if chosen is None:
        return
    with section(
        "What the users of each variant did",
        "In the period, since they were exposed and until the experiment stopped.",
    ):
        _variants(view, chosen)


def _experiment(view: View, row: dict[str, Any]) -> None:
    results = view.snapshot.ask(experiments.results, row["experiment_id"], view.choice.variants)
    ends = row["stopped_at"] or row["ends_at"]
    decisions = " · ".join(results["decision"].drop_nulls().unique(maintain_order=True))
    decided = row["decision"] or decisions or formats.NOTHING
    found = [
        Card("Decision", formats.sentence(decided), (str(row["reason"] or ""),), is_words=True),
        Card(
            "Runs",
            f"{formats.day(row['started_at'])} to {formats.day(ends)}",
            (str(row["status"]),),
            is_words=True,
        ),
    ]
    if not results.is_empty():
        first = results.row(0, named=True)
        p_value = first["sample_ratio_p_value"]
        if p_value is not None:
            is_off = p_value < _MISMATCH
            found.append(
                Card(
                    "Sample ratio",
                    "does not fit" if is_off else "fits",
                    (f"p = {p_value:.2g}",),
                    tone="bad" if is_off else "good",
                    is_words=True,
                )
            )
        read = formats.moment(first["read_at"])
        found.append(Card("Read (UTC)", read, is_words=True))
    cards(*found)
    if results.is_empty():
        elements.nothing(tables.RESULTS, "of this experiment")
        return
    measured = results.filter(pl.col("effect").is_not_null())
    if measured.is_empty():
        elements.notice("No variant has enough users for an effect yet.")
    else:
        elements.says(_READING)
        chart(
            effects(measured, view.look),
            "Effect of each variant on each metric, with fixed and sequential intervals",
            key="effects",
        )
    _results(results)


def _results(results: pl.DataFrame) -> None:
    columns = (
        Column("metric", "Metric", lambda name: formats.sentence(str(name))),
        Column("kind", "Kind"),
        Column("variant", "Variant"),
        Column("n", "Users", formats.whole, is_number=True),
        Column("control", "Control", _figure, is_number=True),
        Column("mean", "Variant's", _figure, is_number=True),
        Column("relative_effect", "Change", _relative, is_number=True),
        Column("p_value", "p", _figure, is_number=True),
        Column("decision", "Decision", tone=status),
    )
    elements.listing(results, columns, key="results")


def _variants(view: View, experiment_id: str) -> None:
    rows = view.snapshot.ask(engagement.by_variant, view.choice)
    rows = rows.filter(rows["experiment_id"] == experiment_id)
    if rows.is_empty():
        elements.nothing(tables.ENGAGEMENT_BY_VARIANT, "for what was chosen")
        return
    columns = (
        Column("variant", "Variant"),
        Column("impressions", "Shown", formats.whole, is_number=True),
        Column("ctr", "Click-through", formats.percent, is_number=True),
        Column("visits", "Visits", formats.whole, is_number=True),
        Column("session_seconds", "Visit length", formats.lasting, is_number=True),
        Column("bounce_rate", "Bounces", formats.percent, is_number=True),
        Column("conversions", "Conversions", formats.whole, is_number=True),
    )
    elements.listing(rows, columns, key="variants")


def _figure(value: float | None) -> str:
    return formats.NOTHING if value is None else f"{value:.4g}"


def _relative(value: float | None) -> str:
    return formats.NOTHING if value is None else f"{formats.signed(100 * value)} %"
