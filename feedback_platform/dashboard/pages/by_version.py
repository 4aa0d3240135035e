"""Click-through by model version, on every page that tells versions apart."""

from __future__ import annotations

from typing import Final

from feedback_platform.dashboard import formats, tables
from feedback_platform.dashboard.charts.intervals import intervals
from feedback_platform.dashboard.data import engagement
from feedback_platform.dashboard.pages import elements
from feedback_platform.dashboard.pages.view import View

EXPLAINED: Final = "By the version that impressions name; `none` stands for those that name none."
# The newest; more are no picture.
_MOST: Final = 12


def show(view: View, *, key: str) -> None:
    """Show the chart, under a key of its own on the page."""
    rows = view.snapshot.ask(engagement.by_model, view.choice)
    shown = rows.filter(rows["impressions"] > 0).head(_MOST)
    if shown.is_empty():
        elements.nothing(tables.ENGAGEMENT_BY_MODEL, "for what was chosen")
        return
    elements.chart(
        intervals(
            shown, view.look, label="model_version", value="ctr", title="Click-through",
            form=formats.PERCENT, size="impressions", size_title="impressions",
        ),
        "Click-through by model version, with intervals",
        key=key,
    )  # fmt: skip
