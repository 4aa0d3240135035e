"""The plots of a report, as SVG: where each effect lies, and how that has narrowed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Final

from feedback_platform.experiments.results import Result

_WIDTH: Final = 640
_HEIGHT: Final = 240
_ROW: Final = 46
_LEFT: Final = 64
_TICKS: Final = 4
# Young intervals reach so far that nothing else would be seen beside them.
_REACH: Final = 4.0


@dataclass(frozen=True)
class Mark:
    """A value that matters beside the effect.

    Attributes:
        value: in the metric's own unit.
        label: what it is.
    """

    value: float
    label: str


@dataclass(frozen=True)
class Point:
    """What was known of an effect at one time; bounds are None where nothing was.

    Attributes:
        at: when (UTC).
        result: what was found.
    """

    at: datetime
    result: Result


def effect_plot(result: Result, mark: Mark | None) -> str:
    """Return where the effect of one metric lies, read once and at any time, beside zero."""
    bounds = [result.low, result.high, result.sequential_low, result.sequential_high]
    known = [abs(each) for each in (*bounds, result.effect) if each is not None]
    known += [abs(mark.value)] if mark else []
    reach = max(known, default=0.0) * 1.08 or 1.0

    def x(value: float) -> float:
        return _WIDTH / 2 + value / reach * (_WIDTH / 2 - 4)

    parts = [f'<line class="zero" x1="{_WIDTH / 2}" y1="2" x2="{_WIDTH / 2}" y2="{_ROW - 2}"/>']
    if mark is not None:
        place = x(mark.value)
        parts.append(
            f'<line class="mark" x1="{place:.1f}" y1="2" x2="{place:.1f}" y2="{_ROW - 2}">'
            f"<title>{escape(mark.label)}</title></line>"
        )
    for low, high, name, height in (
        (result.sequential_low, result.sequential_high, "sequential", 8),
        (result.low, result.high, "fixed", 16),
    ):
        if low is not None and high is not None:
            parts.append(
                f'<rect class="{name}" x="{x(low):.1f}" y="{_ROW / 2 - height / 2}" '
                f'width="{x(high) - x(low):.1f}" height="{height}" rx="3"/>'
            )
    if result.effect is not None:
        parts.append(f'<circle class="effect" cx="{x(result.effect):.1f}" cy="{_ROW / 2}" r="5"/>')
    label = f"{result.metric} of {result.variant}: {_said(result)}"
    return _svg(_ROW, label, parts)


def sequence_plot(
    points: Sequence[Point], begins: datetime, ends: datetime, marks: Sequence[Mark]
) -> str:
    """Return how an effect and the confidence sequence around it went, from start to horizon."""
    last = points[-1].result
    known = [
        (point, point.result.sequential_low, point.result.sequential_high)
        for point in points
        if point.result.effect is not None
    ]
    low, high = _range(last, marks)
    span = (ends - begins).total_seconds() or 1.0

    def x(at: datetime) -> float:
        passed = min(max((at - begins).total_seconds() / span, 0.0), 1.0)
        return _LEFT + passed * (_WIDTH - _LEFT - 8)

    def y(value: float) -> float:
        # Far outside is outside: some programs refuse larger numbers.
        share = min(max((value - low) / (high - low), -9.0), 9.0)
        return 8 + (1 - share) * (_HEIGHT - 36)

    parts = _axes(low, high, y, (ends - begins).total_seconds() / 86_400)
    parts += [
        f'<line class="mark" x1="{_LEFT}" x2="{_WIDTH}" y1="{y(mark.value):.1f}" '
        f'y2="{y(mark.value):.1f}"><title>{escape(mark.label)}</title></line>'
        for mark in marks
    ]
    parts.append(f'<line class="zero" x1="{_LEFT}" x2="{_WIDTH}" y1="{y(0):.1f}" y2="{y(0):.1f}"/>')
    plot = []
    banded = [(point, a, b) for point, a, b in known if a is not None and b is not None]
    if len(banded) > 1:
        above = [f"{x(point.at):.1f},{y(b):.1f}" for point, _, b in banded]
        below = [f"{x(point.at):.1f},{y(a):.1f}" for point, a, _ in reversed(banded)]
        plot.append(f'<polygon class="band" points="{" ".join([*above, *below])}"/>')
    plot += [
        f'<line class="bar" x1="{x(point.at):.1f}" x2="{x(point.at):.1f}" '
        f'y1="{y(a):.1f}" y2="{y(b):.1f}"/>'
        for point, a, b in banded
    ]
    line = [f"{x(point.at):.1f},{y(point.result.effect or 0.0):.1f}" for point, _, _ in known]
    plot.append(f'<polyline class="line" points="{" ".join(line)}"/>')
    plot += [
        f'<circle class="effect" cx="{x(point.at):.1f}" cy="{y(point.result.effect or 0.0):.1f}" '
        f'r="3"><title>{point.at:%Y-%m-%d %H:%M}: {escape(_said(point.result))}</title></circle>'
        for point, _, _ in known
    ]
    inside = f'<svg x="{_LEFT - 4}" y="0" width="{_WIDTH - _LEFT + 4}" height="{_HEIGHT - 24}" '
    inside += f'viewBox="{_LEFT - 4} 0 {_WIDTH - _LEFT + 4} {_HEIGHT - 24}">{"".join(plot)}</svg>'
    label = f"{last.metric} of {last.variant} over time: {_said(last)}"
    return _svg(_HEIGHT, label, [*parts, inside])


def _range(last: Result, marks: Sequence[Mark]) -> tuple[float, float]:
    """Return what the vertical axis shows: the last interval, and as much again around it."""
    low, high = last.sequential_low, last.sequential_high
    effect = last.effect or 0.0
    if low is None or high is None:
        low, high = effect - abs(effect) - 1e-9, effect + abs(effect) + 1e-9
    half = (high - low) / 2
    lowest = min(effect - half * _REACH / 2, 0.0, *(mark.value for mark in marks))
    highest = max(effect + half * _REACH / 2, 0.0, *(mark.value for mark in marks))
    return lowest, highest


def _axes(low: float, high: float, y: Callable[[float], float], days: float) -> list[str]:
    parts = []
    for number in range(_TICKS + 1):
        value = low + (high - low) * number / _TICKS
        parts.append(
            f'<text class="tick" x="{_LEFT - 8}" y="{y(value) + 4:.1f}" '
            f'text-anchor="end">{value:+.2g}</text>'
        )
        place = _LEFT + (_WIDTH - _LEFT - 8) * number / _TICKS
        anchor = "end" if number == _TICKS else "middle" if number else "start"
        parts.append(
            f'<text class="tick" x="{place:.1f}" y="{_HEIGHT - 6}" text-anchor="{anchor}">'
            f"day {days * number / _TICKS:.3g}</text>"
        )
    return parts


def _said(result: Result) -> str:
    if result.effect is None:
        return "nothing known"
    if result.sequential_low is None or result.sequential_high is None:
        return f"{result.effect:+.4g}, too little to say how sure"
    return (
        f"{result.effect:+.4g}, at any time {result.sequential_low:+.4g} to "
        f"{result.sequential_high:+.4g}"
    )


def _svg(height: int, label: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(label)}">'
        f"{''.join(parts)}</svg>"
    )
