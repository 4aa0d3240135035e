"""Models: what is in use and why, how versions compare, and what they changed."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from feedback_platform.dashboard import formats, tables
from feedback_platform.dashboard.charts.versions import history
from feedback_platform.dashboard.data import models
from feedback_platform.dashboard.pages import by_version, changes, elements
from feedback_platform.dashboard.pages.elements import Card, Column, cards, chart, section
from feedback_platform.dashboard.pages.states import passed, status
from feedback_platform.dashboard.pages.view import View


def show(view: View) -> None:
    """Show the page."""
    with section("In use"):
        _models(view)
    with section(
        "Click-through by version",
        by_version.EXPLAINED,
    ):
        by_version.show(view, key="ctr-by-version")
    with section("Before and after", "The days after a promotion against those before it."):
        changes.show(view, "model_version")


def _models(view: View) -> None:
    ask = view.snapshot.ask
    names = ask(models.models)
    if not names:
        elements.nothing(tables.MODEL_VERSIONS)
        return
    model = names[0]
    if len(names) > 1:
        model = st.segmented_control("Model", names, default=model, required=True, key="model")
    versions = ask(models.versions, model)
    _in_use(view, versions)
    _measured(view, model, versions)
    _gate(view, model, versions)
    with section("Versions", "The newest first, with the reason of the last decision on each."):
        _versions(versions)


def _in_use(view: View, versions: pl.DataFrame) -> None:
    used = versions.filter(versions["status"] == "champion")
    if used.is_empty():
        elements.notice("No version is in use. Each one's reason is in the list below.")
        return
    row = used.row(0, named=True)
    age = formats.lasting((view.now - row["trained_at"]).total_seconds())
    cards(
        Card("Version", row["version"], is_words=True),
        Card("Trained", f"{age} ago", (formats.moment(row["trained_at"]),), is_words=True),
        Card("Because", formats.sentence(str(row["trigger"])), is_words=True),
        Card("Versions", formats.whole(len(versions))),
    )
    elements.says(str(row["reason"] or ""))


def _measured(view: View, model: str, versions: pl.DataFrame) -> None:
    found = view.snapshot.ask(models.figures, model)
    if found.is_empty():
        return
    names = found["figure"].unique(maintain_order=True).to_list()
    figure = st.selectbox("Figure", names, key="figure")
    rows = found.filter(found["figure"] == figure).join(
        versions.select("version", "trained_at", "status"), on="version"
    )
    chart(
        history(
            rows, view.look, figure=str(figure), reference=0.0 if figure == models.GAIN else None
        ),
        f"{figure} of each version",
        key="figures",
    )


def _gate(view: View, model: str, versions: pl.DataFrame) -> None:
    findings = view.snapshot.ask(models.gate, model)
    if findings.is_empty():
        return
    latest = versions.filter(versions["version"].is_in(findings["version"].unique().to_list()))
    chosen = latest["version"].to_list()
    st.markdown("**What the gate found**")
    version = st.selectbox("Version", chosen, key="gate-version")
    columns = (
        Column("rule", "Rule", lambda name: formats.sentence(str(name))),
        Column("passed", "Outcome", _outcome, tone=passed),
        Column("text", "Finding"),
    )
    elements.listing(findings.filter(findings["version"] == version), columns, key="gate")


def _versions(versions: pl.DataFrame) -> None:
    columns = (
        Column("version", "Version"),
        Column("trained_at", "Trained (UTC)", formats.moment, is_kept=True),
        Column("trigger", "Because"),
        Column("status", "Status", tone=status),
        Column("reason", "Reason"),
    )
    elements.listing(versions, columns, key="versions")


def _outcome(value: Any) -> str:
    return "passed" if value else "failed"
