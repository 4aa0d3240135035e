"""Amounts beside each other."""

from __future__ import annotations

from typing import Any, Final

import altair as alt
import polars as pl

from feedback_platform.dashboard.theme import Look, finished

_ROW: Final = 44


def bars(
    frame: pl.DataFrame,
    look: Look,
    *,
    label: str,
    value: str,
    title: str,
    text: str,
    mark: str | None = None,
    limit: float | None = None,
) -> Any:
    """Draw a bar for each row, its name above it and its figure behind it.

    Args:
        frame: rows in the order in which they are drawn.
        look: the colours.
        label, value, text: the columns of the name, the length, and the figure as it is written.
        title: of the axis.
        mark: a Boolean column of the rows that stand out.
        limit: where a line is drawn beyond which a value stands out.
    """
    shown = frame.with_columns(pl.Series("row", range(len(frame)), pl.Int32()))
    largest = float(shown.select(pl.max(value).fill_null(0)).item())
    end = max(largest, limit or 0.0) * 1.25 or 1.0
    x = alt.X(
        f"{value}:Q",
        title=title,
        scale=alt.Scale(domain=[0, end], nice=False),
        axis=alt.Axis(tickCount=4, grid=True),
    )
    y = alt.Y("row:O", axis=None, scale=alt.Scale(paddingInner=0.65, paddingOuter=0.5))
    colour: Any = alt.value(look.first)
    if mark is not None:
        colour = alt.condition(f"datum.{mark}", alt.value(look.bad), alt.value(look.first))
    base = alt.Chart(shown).encode(
        y=y,
        tooltip=[alt.Tooltip(f"{label}:N", title="Name"), alt.Tooltip(f"{text}:N", title=title)],
    )
    layers = [
        base.mark_bar(cornerRadiusEnd=2).encode(x=x, color=colour),
        base.mark_text(align="left", dy=-17, color=look.ink).encode(
            x=alt.value(0), text=f"{label}:N"
        ),
        base.mark_text(align="left", dx=6, color=look.muted).encode(x=x, text=f"{text}:N"),
    ]
    if limit is not None:
        line = alt.Chart(pl.DataFrame({"at": [limit]})).mark_rule(
            color=look.muted, strokeDash=[4, 4]
        )
        layers.append(line.encode(x="at:Q"))
    return finished(alt.layer(*layers).properties(height=alt.Step(_ROW)), look)
