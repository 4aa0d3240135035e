"""The report of an experiment on a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Final

from feedback_platform.experiments.report import Report
from feedback_platform.experiments.results import Result

_INDENT: Final = " " * 4
_WIDTH: Final = 100
_NONE: Final = "-"


def text_of(report: Report) -> str:
    """Return what was found, in lines of at most a hundred characters where tables allow it."""
    parts = [*_head(report), "", *_arms(report)]
    if report.look is not None:
        parts += ["", *_figures(report, report.look.results)]
    return "\n".join(parts)


def interval(low: float | None, high: float | None) -> str:
    """Return the bounds of an interval in words."""
    return "anything" if low is None or high is None else f"{low:+.4g} to {high:+.4g}"


def number(value: float | None, form: str = ".4g") -> str:
    """Return a figure, or a dash where nothing is known."""
    return _NONE if value is None else f"{value:{form}}"


def times(report: Report) -> str:
    """Return from when to when it runs, and how it is read."""
    started, stopped = report.started, report.stopped
    if stopped is None:
        state = f"running since {started.at:%Y-%m-%d %H:%M}, until {started.ends_at:%Y-%m-%d %H:%M}"
    else:
        state = f"ran from {started.at:%Y-%m-%d %H:%M} to {stopped.at:%Y-%m-%d %H:%M}"
    is_sequential = report.experiment.design.is_sequential
    return f"{state} UTC; read {'at any time' if is_sequential else 'once, at its horizon'}"


def outcome(report: Report) -> str:
    """Return what follows and why."""
    shipped = f" ({report.shipped} shipped)" if report.shipped else ""
    found = "" if report.look is None else f" (as of {report.look.read_at:%Y-%m-%d %H:%M})"
    return f"{report.decision}{shipped}: {report.reason}{found}"


def _head(report: Report) -> list[str]:
    experiment = report.experiment
    lines = [
        f"{experiment.lever.value} {experiment.subject}; {times(report)}",
        f"decision: {outcome(report)}",
    ]
    wrapped = [
        textwrap.fill(line, _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT * 2)
        for line in lines
    ]
    return [textwrap.fill(f"{experiment.key}: {experiment.hypothesis}", _WIDTH), *wrapped]


def _arms(report: Report) -> list[str]:
    rows = [("arm", "gets", "share", "assigned", "exposed")]
    for arm in report.arms:
        name = f"{arm.name} (control)" if arm.is_control else arm.name
        assigned = number(arm.assigned, ",")
        rows.append((name, arm.value, f"{arm.share:g} %", assigned, f"{arm.exposed:,}"))
    lines = _columns(rows, left=2)
    if report.look is not None and report.look.results:
        ratio = report.look.results[0].sample_ratio_p_value
        left_out = f"; left out: {report.left_out}" if report.left_out else ""
        lines.append(f"{_INDENT}sample ratio: p = {ratio:.3g}{left_out}")
    return lines


def _figures(report: Report, results: Sequence[Result]) -> list[str]:
    level = f"{(1 - report.experiment.design.alpha) * 100:g} %"
    rows = [
        (
            "metric", "for", "variant", "control", "treated", "effect",
            f"{level}, once", "p", f"{level}, any time", "p",
        )
    ]  # fmt: skip
    rows += [
        (
            row.metric, row.kind, row.variant, number(row.control), number(row.mean),
            number(row.effect, "+.4g"), interval(row.low, row.high), number(row.p_value, ".3g"),
            interval(row.sequential_low, row.sequential_high),
            number(row.sequential_p_value, ".3g"),
        )
        for row in results
    ]  # fmt: skip
    return _columns(rows, left=3)


def _columns(rows: Sequence[tuple[str, ...]], *, left: int) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        _INDENT
        + "  ".join(
            f"{cell:<{width}}" if place < left else f"{cell:>{width}}"
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
