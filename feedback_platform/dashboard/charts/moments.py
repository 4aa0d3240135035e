"""When something happened."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import altair as alt
import polars as pl

from feedback_platform.dashboard.theme import Look, finished

_ROW: Final = 48
# Five marks of an axis of fewer days share a day, and need its hours.
_FEW: Final = timedelta(days=5)


def moments(
    frame: pl.DataFrame, look: Look, *, at: str, row: str, title: str, kind: str, text: str
) -> Any:
    """Draw a sign for each thing that happened, a row for each subject that it happened to.

    Args:
        frame: the things.
        look: the colours.
        at, row: the columns of the time and of the subject.
        title: what the time is of.
        kind, text: the columns that give the shape, and what is told of each.
    """
    rows = frame[row].unique(maintain_order=True).to_list()
    numbers = {name: number for number, name in enumerate(rows)}
    shown = frame.with_columns(pl.Series("row", [numbers[each] for each in frame[row]], pl.Int32()))
    first = shown.unique("row", keep="first", maintain_order=True)
    y = alt.Y("row:O", axis=None, scale=alt.Scale(paddingOuter=0.4))
    kinds = shown[kind].unique().sort().to_list()
    first_at, last_at = shown[at].min(), shown[at].max()
    is_short = bool(rows) and last_at - first_at < _FEW  # type: ignore[operator]
    signs = (
        alt.Chart(shown)
        .mark_point(size=110, filled=True, opacity=0.9)
        .encode(
            x=alt.X(f"{at}:T", title=title, scale=alt.Scale(type="utc", nice=True, padding=12),
                axis=alt.Axis(
                    format="%-d %b, %H:%M" if is_short else "%-d %b", tickCount=5, grid=True)),
            y=y,
            shape=alt.Shape(f"{kind}:N", scale=alt.Scale(domain=kinds),
                legend=alt.Legend(title=None, columns=3)),
            color=alt.Color(f"{kind}:N", scale=alt.Scale(domain=kinds,
                range=list(look.series[: max(len(kinds), 1)])), legend=alt.Legend(title=None)),
            tooltip=[
                alt.Tooltip(f"{at}:T", title=title, format="%-d %b %Y, %H:%M"),
                alt.Tooltip(f"{row}:N", title="What"),
                alt.Tooltip(f"{text}:N", title="How"),
            ],
        )
    )  # fmt: skip
    labels = (
        alt.Chart(first)
        .mark_text(align="left", dy=-16, color=look.ink)
        .encode(x=alt.value(0), y=y, text=f"{row}:N")
    )
    return finished(alt.layer(signs, labels).properties(height=alt.Step(_ROW)), look)
