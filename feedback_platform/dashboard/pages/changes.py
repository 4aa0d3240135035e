"""Before and after a change: on the pages of models and of adjustments."""

from __future__ import annotations

import polars as pl
import streamlit as st

from feedback_platform.dashboard import formats, tables
from feedback_platform.dashboard.charts.intervals import intervals
from feedback_platform.dashboard.data import models
from feedback_platform.dashboard.pages import elements
from feedback_platform.dashboard.pages.elements import chart
from feedback_platform.dashboard.pages.view import View

_NO_PROOF = (
    "A difference between two stretches of time is no proof: seasons and other changes are in it. "
    "An experiment tells what a change does."
)


def show(view: View, kind: str) -> None:
    """Show what was measured before and after each change of a kind.

    Args:
        view: what is looked at.
        kind: `model_version` or `adjustment`.
    """
    rows = view.snapshot.ask(models.before_after, kind, view.choice)
    if rows.is_empty():
        elements.nothing(tables.BEFORE_AFTER, "in this period")
        return
    metrics = rows["metric"].unique(maintain_order=True).to_list()
    metric = st.selectbox(
        "Metric", metrics, format_func=formats.sentence, key=f"before-after-{kind}"
    )
    found = rows.filter(rows["metric"] == metric).head(12)
    labelled = found.with_columns(
        pl.Series("label", [_label(row) for row in found.iter_rows(named=True)], pl.String())
    )
    chart(
        intervals(
            labelled, view.look, label="label", value="difference",
            title=f"{formats.sentence(str(metric))}: after less before", form="+.3~g",
            size="after_n", size_title="after", reference=0.0,
        ),
        f"{metric} after each change less before it, with intervals",
        key=f"before-after-chart-{kind}",
    )  # fmt: skip
    if not found["is_complete"].all():
        elements.says("Where days are missing after a change, the figure is not final.")
    elements.says(_NO_PROOF)


def _label(row: dict[str, object]) -> str:
    unfinished = "" if row["is_complete"] else f" (after {row['after_days']} days so far)"
    return f"{row['subject']}{unfinished}"
