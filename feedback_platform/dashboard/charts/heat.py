"""Figures in rows and columns, the colour telling how much."""

from __future__ import annotations

from typing import Any, Final

import altair as alt
import polars as pl

from feedback_platform.dashboard import formats
from feedback_platform.dashboard.theme import Look, finished

_ROW: Final = 32
# Twice as much as everybody, or half as much, has the full colour.
_FULL_LIFT: Final = 2.0


def preferences(frame: pl.DataFrame, look: Look) -> Any:
    """Draw what each segment likes: a row a category, a column a segment.

    A cell has the segment's mean share in percent; it is blue where that is more than everybody's,
    orange where it is less.

    Args:
        frame: segment, label, category, share, lift.
        look: the colours.
    """
    shown = frame.with_columns(pl.col("lift").clip(lower_bound=1e-6).log(_FULL_LIFT).alias("tone"))
    segments = shown["label"].unique(maintain_order=True).to_list()
    categories = (
        shown.group_by("category").agg(pl.max("share")).sort(["share", "category"],
        descending=[True, False])["category"].to_list()
    )  # fmt: skip
    base = alt.Chart(shown).encode(
        x=alt.X(
            "label:N",
            sort=segments,
            title="Segment",
            axis=alt.Axis(labelAngle=0, labelLimit=130, labelExpr=_BROKEN,
                labelOverlap=False, domain=False, ticks=False),
        ),
        y=alt.Y("category:N", sort=categories, title=None, axis=alt.Axis(labelLimit=120,
            labelOverlap=False)),
        tooltip=[
            alt.Tooltip("label:N", title="Segment"),
            alt.Tooltip("category:N", title="Category"),
            alt.Tooltip("share:Q", title="Share of its liking", format=".1%"),
            alt.Tooltip("lift:Q", title="Times everybody's", format=".2f"),
        ],
    )  # fmt: skip
    cells = base.mark_rect(cornerRadius=2).encode(
        color=alt.Color(
            "tone:Q",
            scale=alt.Scale(domain=[-1, 0, 1], range=[look.cold, look.neutral, look.hot],
                clamp=True),
            legend=None,
        )
    )  # fmt: skip
    texts = base.mark_text(color=look.ink).encode(text=alt.Text("share:Q", format=".0%"))
    return finished(alt.layer(cells, texts).properties(height=alt.Step(_ROW)), look)


def cohorts(frame: pl.DataFrame, look: Look) -> Any:
    """Draw how many of each week's new users came back in later weeks.

    Args:
        frame: cohort_week, week, users, returned, retention.
        look: the colours.
    """
    labels = [
        f"{formats.day(each)[:-5]} · {formats.whole(users)}"
        for each, users in frame.select("cohort_week", "users").iter_rows()
    ]
    shown = frame.with_columns(pl.Series("cohort", labels, pl.String()))
    rows = shown["cohort"].unique(maintain_order=True).to_list()
    base = alt.Chart(shown).encode(
        x=alt.X("week:O", title="Weeks after the first", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("cohort:N", sort=rows, title="Week from · new users",
            axis=alt.Axis(labelLimit=130, labelOverlap=False)),
        tooltip=[
            alt.Tooltip("cohort:N", title="Week from · new users"),
            alt.Tooltip("week:O", title="Week"),
            alt.Tooltip("returned:Q", title="Came back", format=formats.WHOLE),
            alt.Tooltip("retention:Q", title="Share", format=formats.PERCENT),
        ],
    )  # fmt: skip
    cells = base.mark_rect(cornerRadius=2).encode(
        color=alt.Color(
            "retention:Q",
            scale=alt.Scale(domain=[0, 1], range=[look.faint, look.hot]),
            legend=None,
        )
    )
    texts = base.mark_text(color=look.ink).encode(text=alt.Text("retention:Q", format=".0%"))
    return finished(alt.layer(cells, texts).properties(height=alt.Step(_ROW)), look)


# The words of a name below each other.
_BROKEN: Final = "split(datum.label, ' ')"
