"""What the variants of an experiment do, with both kinds of interval."""

from __future__ import annotations

from typing import Any, Final

import altair as alt
import polars as pl

from feedback_platform.dashboard import formats
from feedback_platform.dashboard.theme import Look, finished

_ROW: Final = 56
FIXED: Final = "95 % interval, read once at the end"
SEQUENTIAL: Final = "95 % confidence sequence, read at any time"


def effects(frame: pl.DataFrame, look: Look) -> tuple[Any, ...]:
    """Draw effect and intervals of each variant, a chart a metric; left of the line is less.

    Args:
        frame: metric, kind, variant, n, effect, low, high, sequential_low, sequential_high.
        look: the colours.
    """
    return tuple(
        finished(_panel(rows, look, has_legend=number == 0), look)
        for number, (_, rows) in enumerate(frame.group_by("metric", maintain_order=True))
    )


def _panel(frame: pl.DataFrame, look: Look, *, has_legend: bool) -> Any:
    metric, kind = frame.row(0, named=True)["metric"], frame.row(0, named=True)["kind"]
    above = [
        f"{variant}  ·  {formats.whole(users)} users" + (
            "" if relative is None else f"  ·  {formats.signed(100 * relative)} % of control"
        )
        for variant, users, relative in frame.select("variant", "n", "relative_effect").iter_rows()
    ]  # fmt: skip
    shown = frame.with_columns(
        pl.Series("row", range(len(frame)), pl.Int32()), pl.Series("above", above, pl.String())
    )
    axis = alt.Axis(format=".3~g", tickCount=5, grid=True)
    title = "Difference from control"
    base = alt.Chart(shown).encode(
        y=alt.Y("row:O", axis=None, scale=alt.Scale(paddingOuter=0.4)),
        tooltip=[
            alt.Tooltip("variant:N", title="Variant"),
            alt.Tooltip("n:Q", title="Users", format=formats.WHOLE),
            alt.Tooltip("control:Q", title="Control", format=".4~g"),
            alt.Tooltip("mean:Q", title="Variant's mean", format=".4~g"),
            alt.Tooltip("effect:Q", title="Difference", format=".4~g"),
            alt.Tooltip("p_value:Q", title="p, fixed horizon", format=".3~g"),
        ],
    )
    zero = (
        alt.Chart(pl.DataFrame({"at": [0.0]}))
        .mark_rule(color=look.muted, strokeDash=[4, 4])
        .encode(x="at:Q")
    )
    colours = alt.Scale(domain=[FIXED, SEQUENTIAL], range=[look.series[0], look.series[1]])
    legend = (
        alt.Legend(title=None, orient="top", direction="vertical", labelLimit=320)
        if has_legend
        else None
    )
    layers: list[Any] = [zero]
    for name, low, high, width, offset in (
        (FIXED, "low", "high", 5, 0),
        (SEQUENTIAL, "sequential_low", "sequential_high", 2, 9),
    ):
        layers.append(
            base.transform_calculate(interval=repr(name))
            .mark_rule(strokeWidth=width, yOffset=offset)
            .encode(
                x=alt.X(f"{low}:Q", title=title, axis=axis),
                x2=f"{high}:Q",
                color=alt.Color("interval:N", scale=colours, legend=legend),
            )
        )
    layers += [
        base.mark_circle(color=look.ink, size=80, opacity=1).encode(
            x=alt.X("effect:Q", title=title, axis=axis)
        ),
        base.mark_text(align="left", dy=-17, color=look.ink).encode(x=alt.value(0), text="above:N"),
    ]
    heading = f"{formats.sentence(str(metric))} ({kind})" if kind else formats.sentence(str(metric))
    return alt.layer(*layers).properties(height=alt.Step(_ROW), title=heading)
