"""Figures with their intervals, a row each, labelled where they stand."""

from __future__ import annotations

from typing import Any, Final

import altair as alt
import polars as pl

from feedback_platform.dashboard import formats
from feedback_platform.dashboard.theme import Look, finished

_ROW: Final = 54


def intervals(
    frame: pl.DataFrame,
    look: Look,
    *,
    label: str,
    value: str,
    title: str,
    form: str,
    size: str,
    size_title: str,
    reference: float | None = None,
) -> Any:
    """Draw a point and its interval for each row; name and size stand above it, so phones can too.

    Args:
        frame: rows in the order in which they are drawn; `low` and `high` may be null.
        look: the colours.
        label, value: the columns.
        title, form: of the value, and its d3 format.
        size, size_title: how many observations are behind a row, and what they are.
        reference: where a line is drawn, such as 0 where there is no effect.
    """
    texts = [
        f"{name}  ·  {formats.whole(count)} {size_title}"
        for name, count in frame.select(label, size).iter_rows()
    ]
    shown = frame.with_columns(
        pl.Series("row", range(len(frame)), pl.Int32()), pl.Series("above", texts, pl.String())
    )
    y = alt.Y("row:O", axis=None, scale=alt.Scale(paddingOuter=0.4))
    axis = alt.Axis(format=form, tickCount=4, grid=True)
    x = alt.X(f"{value}:Q", title=title, axis=axis, scale=alt.Scale(zero=False, nice=True))
    base = alt.Chart(shown).encode(
        y=y,
        tooltip=[
            alt.Tooltip(f"{label}:N", title="Name"),
            alt.Tooltip(f"{value}:Q", title=title, format=form),
            alt.Tooltip("low:Q", title="95 % from", format=form),
            alt.Tooltip("high:Q", title="to", format=form),
            alt.Tooltip(f"{size}:Q", title=formats.sentence(size_title), format=formats.WHOLE),
        ],
    )
    layers = [] if reference is None else [_reference(reference, look)]
    layers += [
        base.mark_rule(color=look.first, strokeWidth=3, opacity=0.55).encode(
            x=alt.X("low:Q", title=title, axis=axis), x2="high:Q"
        ),
        base.mark_circle(color=look.first, size=90, opacity=1).encode(x=x),
        base.mark_text(align="left", dy=-17, color=look.ink).encode(x=alt.value(0), text="above:N"),
        base.mark_text(align="center", dy=15, color=look.muted, fontSize=12).encode(
            x=x, text=alt.Text(f"{value}:Q", format=form)
        ),
    ]
    return finished(alt.layer(*layers).properties(height=alt.Step(_ROW)), look)


def _reference(at: float, look: Look) -> Any:
    return (
        alt.Chart(pl.DataFrame({"at": [at]}))
        .mark_rule(color=look.muted, strokeDash=[4, 4])
        .encode(x="at:Q")
    )
