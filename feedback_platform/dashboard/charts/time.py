"""Charts over time."""

from __future__ import annotations

from typing import Any, Final

import altair as alt
import polars as pl

from feedback_platform.dashboard import formats
from feedback_platform.dashboard.choice import Bucket, Period
from feedback_platform.dashboard.theme import Look, finished

_AXIS_TITLES: Final = {
    "day": "Day (UTC)", "week": "Week from Monday (UTC)", "month": "Month (UTC)",
}  # fmt: skip
# Axes of the same width, so that charts below each other fit.
_EXTENT: Final[dict[str, Any]] = {"minExtent": 48, "maxExtent": 48}
_SHORT: Final = "datum.value < 1000 ? format(datum.value, ',.0f') : format(datum.value, '~s')"
_LABELLED: Final = 10
_SPANS: Final = {"day": 1, "week": 7, "month": 30}


def line(
    frame: pl.DataFrame,
    look: Look,
    *,
    value: str,
    title: str,
    form: str,
    bucket: Bucket,
    size: str,
    size_title: str,
    lowest: float | None = None,
) -> tuple[Any, Any]:
    """Draw a figure over time, with its interval where `low` and `high` are known, and its base.

    The two charts belong below each other; their axes fit.

    Args:
        frame: with `day`, the value and the size; perhaps `low` and `high`.
        look: the colours.
        value, title, form: the column, what it is called, and its d3 format.
        bucket: what a point stands for.
        size, size_title: how many observations are behind a point.
        lowest: where the axis begins, or None for where the values do.
    """
    has_interval = {"low", "high"} <= set(frame.columns) and frame["low"].is_not_null().any()
    x = _x(frame, bucket, axis=alt.Axis(labels=False, ticks=False, title=None))
    tips = [
        alt.Tooltip("day:T", title=_AXIS_TITLES[bucket], format="%-d %b %Y"),
        alt.Tooltip(f"{value}:Q", title=title, format=form),
        alt.Tooltip(f"{size}:Q", title=size_title, format=formats.WHOLE),
    ]
    if has_interval:
        tips[2:2] = [
            alt.Tooltip("low:Q", title="95 % from", format=form),
            alt.Tooltip("high:Q", title="to", format=form),
        ]
    scale = alt.Scale(zero=lowest is not None, nice=True)
    axis = alt.Axis(format=form, tickCount=5, **_EXTENT)
    y = alt.Y(f"{value}:Q", title=title, scale=scale, axis=axis)
    base = alt.Chart(frame).encode(x=x, tooltip=tips)
    layers = []
    if has_interval:
        band = base.mark_area(opacity=0.2, color=look.first)
        layers.append(
            band.encode(y=alt.Y("low:Q", title=title, scale=scale, axis=axis), y2="high:Q")
        )
    layers.append(base.mark_line(color=look.first).encode(y=y))
    layers.append(base.mark_circle(color=look.first, size=36, opacity=1).encode(y=y))
    upper = alt.layer(*layers).properties(height=230)
    lower = (
        alt.Chart(frame)
        .mark_bar(color=look.muted, opacity=0.45, size=_bar_size(frame, bucket))
        .encode(
            x=_x(frame, bucket),
            y=alt.Y(
                f"{size}:Q",
                title=size_title,
                axis=alt.Axis(labelExpr=_SHORT, tickCount=2, **_EXTENT),
            ),
            tooltip=tips,
        )
        .properties(height=110)
    )
    return finished(upper, look), finished(lower, look)


def stacked(
    frame: pl.DataFrame, look: Look, *, value: str, part: str, title: str, period: Period
) -> Any:
    """Draw how much there was of each part over a period, one bar on the other.

    Days on which there was none are empty: that they are is what the chart is looked at for.

    The largest parts keep their own colour; the rest are `other`.
    """
    order = (
        frame.group_by(part).agg(pl.sum(value)).sort([value, part], descending=[True, False])[part]
    )
    kept = order.head(len(look.series) - 1).to_list()
    shown = frame.with_columns(
        pl.when(pl.col(part).is_in(kept)).then(pl.col(part)).otherwise(pl.lit("other")).alias(part)
    )
    shown = shown.group_by("day", part, maintain_order=True).agg(pl.sum(value))
    names = [*kept, "other"] if len(order) > len(kept) else kept
    ranks = pl.DataFrame({part: names, "rank": range(len(names))})
    shown = shown.join(ranks, on=part, maintain_order="left")
    bucket = period.bucket
    ends = pl.DataFrame({"day": [period.first, period.last]})
    chart = (
        alt.Chart(shown)
        .mark_bar(size=_bar_size(ends, bucket))
        .encode(
            x=_x(frame, bucket, within=period),
            y=alt.Y(f"{value}:Q", title=title, axis=alt.Axis(format=formats.WHOLE, tickCount=4)),
            color=alt.Color(
                f"{part}:N",
                sort=names,
                scale=alt.Scale(domain=names, range=list(look.series[: len(names)])),
                legend=alt.Legend(title=None, columns=2, symbolType="square"),
            ),
            order=alt.Order("rank:Q"),
            tooltip=[
                alt.Tooltip("day:T", title=_AXIS_TITLES[bucket], format="%-d %b %Y"),
                alt.Tooltip(f"{part}:N", title=formats.sentence(part)),
                alt.Tooltip(f"{value}:Q", title=title, format=formats.WHOLE),
            ],
        )
        .properties(height=310)
    )
    return finished(chart, look)


def small_multiples(
    frame: pl.DataFrame, look: Look, *, measures: tuple[tuple[str, str], ...], bucket: Bucket
) -> tuple[Any, ...]:
    """Draw several shares over the same time, a chart each, to be put below each other."""
    panels = []
    for number, (name, title) in enumerate(measures):
        is_last = number == len(measures) - 1
        axis = alt.Axis() if is_last else alt.Axis(labels=False, ticks=False, title=None)
        base = alt.Chart(frame, title=alt.TitleParams(title, fontWeight="normal")).encode(
            x=_x(frame, bucket, axis=axis),
            y=alt.Y(
                f"{name}:Q",
                title=None,
                scale=alt.Scale(zero=True, nice=True),
                axis=alt.Axis(format=".0%", tickCount=3, **_EXTENT),
            ),
            tooltip=[
                alt.Tooltip("day:T", title=_AXIS_TITLES[bucket], format="%-d %b %Y"),
                alt.Tooltip(f"{name}:Q", title=title, format=formats.PERCENT),
            ],
        )
        layers = base.mark_line(color=look.first), base.mark_circle(color=look.first, opacity=1)
        height = 150 if is_last else 110
        panels.append(finished(alt.layer(*layers).properties(height=height), look))
    return tuple(panels)


def _x(
    frame: pl.DataFrame, bucket: Bucket, axis: alt.Axis | None = None, within: Period | None = None
) -> alt.X:
    title = _AXIS_TITLES[bucket]
    form = "%b %Y" if bucket == "month" else "%-d %b"
    given = {} if axis is None else axis.to_dict()
    days = frame["day"].unique().sort()
    is_short = bucket != "day" or (
        within is None and not days.is_empty() and (days[-1] - days[0]).days < _LABELLED
    )
    if is_short and len(days) <= _LABELLED:
        # A week is named by its Monday, where an axis of its own accord marks Sundays; and one
        # of few days marks hours, all of which have the name of the day.
        given["values"] = _moments(days)
    shown = alt.Axis(**{"format": form, "title": title, "tickCount": 6, **given})
    scale = alt.Scale(type="utc", padding=12)
    if within is not None:
        # The first bar of weeks may stand for a Monday before the period.
        edges = pl.Series([min(within.first, *days.head(1)), within.last])
        scale = alt.Scale(type="utc", padding=12, domain=_moments(edges))
    return alt.X("day:T", scale=scale, axis=shown)


def _moments(days: pl.Series) -> list[alt.DateTime]:
    """Return days as Vega-Lite has them.

    Not as milliseconds: Streamlit has Vega interpret its expressions, where a number is a year.
    """
    return [alt.DateTime(year=day.year, month=day.month, date=day.day, utc=True) for day in days]


def _bar_size(frame: pl.DataFrame, bucket: Bucket) -> int:
    """Return how wide a bar may be so that it does not touch its neighbour on a phone."""
    days = frame["day"]
    span = 1 if days.is_empty() else (days.max() - days.min()).days // _SPANS[bucket] + 1  # type: ignore[operator, union-attr]
    return max(2, min(24, 200 // span))
