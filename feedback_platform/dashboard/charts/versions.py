"""How the versions of a model compare."""

from __future__ import annotations

from typing import Any, Final

import altair as alt
import polars as pl

from feedback_platform.dashboard.theme import Look, finished

_LISTED: Final = 12


def history(frame: pl.DataFrame, look: Look, *, figure: str, reference: float | None) -> Any:
    """Draw a figure over the trainings, with its interval where it has one.

    Args:
        frame: trained_at, version, value, low, high, status.
        look: the colours.
        figure: what the value is.
        reference: where a line is drawn, such as 0 where there is no gain.
    """
    shown = frame.sort("trained_at", descending=True).head(_LISTED).sort("trained_at")
    shown = shown.with_columns(
        pl.col("trained_at").dt.strftime("%-d %b, %H:%M").alias("when"),
        pl.Series("order", range(len(shown)), pl.Int32()),
    )
    order = shown["when"].unique(maintain_order=True).to_list()
    colours = {
        "champion": look.good, "retired": look.first, "candidate": look.warning,
        "rejected": look.bad,
    }  # fmt: skip
    states = [each for each in colours if each in shown["status"]]
    axis = alt.Axis(format=".3~f", tickCount=5)
    base = alt.Chart(shown).encode(
        x=alt.X("when:N", sort=order, title="Trained (UTC)", axis=alt.Axis(labelAngle=0)),
        color=alt.Color(
            "status:N",
            scale=alt.Scale(domain=states, range=[colours[each] for each in states]),
            legend=alt.Legend(title=None, columns=2),
        ),
        tooltip=[
            alt.Tooltip("version:N", title="Version"),
            alt.Tooltip("status:N", title="Status"),
            alt.Tooltip("value:Q", title=figure, format=".4f"),
            alt.Tooltip("low:Q", title="95 % from", format=".4f"),
            alt.Tooltip("high:Q", title="to", format=".4f"),
        ],
    )
    scale = alt.Scale(zero=False, nice=True, padding=16)
    layers: list[Any] = []
    if reference is not None:
        line = alt.Chart(pl.DataFrame({"at": [reference]})).encode(y="at:Q")
        layers.append(line.mark_rule(color=look.muted, strokeDash=[4, 4]))
    if shown["low"].is_not_null().any():
        layers.append(
            base.mark_rule(strokeWidth=3, opacity=0.6).encode(
                y=alt.Y("low:Q", title=figure, axis=axis, scale=scale), y2="high:Q"
            )
        )
    y = alt.Y("value:Q", title=figure, axis=axis, scale=scale)
    layers.append(base.mark_circle(size=100, opacity=1).encode(y=y))
    layers.append(
        base.mark_text(dx=10, align="left", fontSize=12).encode(
            y=y, text=alt.Text("value:Q", format=".3f"), color=alt.value(look.muted)
        )
    )
    return finished(alt.layer(*layers).properties(height=240), look)
