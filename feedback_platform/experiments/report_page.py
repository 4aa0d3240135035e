"""The report of an experiment as a page that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from importlib.resources import files
from typing import Final

from feedback_platform.durations import written
from feedback_platform.experiments.decision import Verdict
from feedback_platform.experiments.metrics import METRICS
from feedback_platform.experiments.report import Report
from feedback_platform.experiments.report_plots import Mark, Point, effect_plot, sequence_plot
from feedback_platform.experiments.report_text import interval, number, times
from feedback_platform.experiments.results import Result
from feedback_platform.experiments.sample_ratio import MISMATCH

_TONES: Final = {
    Verdict.SHIP.value: "good",
    Verdict.STOP.value: "bad",
    Verdict.INVALID.value: "bad",
}


def page_of(report: Report) -> str:
    """Return the page, HTML without anything from elsewhere."""
    experiment = report.experiment
    style = files("feedback_platform.experiments").joinpath("report.css").read_text("utf-8")
    varied = f"{experiment.lever.value.replace('_', ' ')} {experiment.subject}"
    parts = [
        f"<p class='over'>experiment · {escape(varied)}</p>",
        f"<h1>{escape(experiment.key)}</h1>",
        f"<p class='lead'>{escape(experiment.hypothesis)}</p>",
        _decision(report),
        f"<p class='muted'>{escape(times(report))}.</p>",
        _arms(report),
        *_findings(report),
        _how_to_read(report),
    ]
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(experiment.key)} · experiment</title><style>{style}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )


def _decision(report: Report) -> str:
    tone = _TONES.get(report.decision, "open")
    shipped = f" · {escape(report.shipped)} shipped" if report.shipped else ""
    found = (
        ""
        if report.look is None
        else f"<small>as of {report.look.read_at:%Y-%m-%d %H:%M} UTC</small>"
    )
    return (
        f"<div class='decision {tone}'><strong>{escape(report.decision)}{shipped}</strong>"
        f"<span>{escape(report.reason)}</span>{found}</div>"
    )


def _arms(report: Report) -> str:
    most = max((arm.exposed for arm in report.arms), default=0) or 1
    rows = "".join(
        f"<tr><th>{escape(arm.name)}{' <em>control</em>' if arm.is_control else ''}</th>"
        f"<td>{escape(arm.value)}</td><td class='n'>{arm.share:g} %</td>"
        f"<td class='n'>{number(arm.assigned, ',')}</td>"
        f"<td class='n'>{arm.exposed:,}</td>"
        f"<td class='bar'><i style='width:{arm.exposed / most * 100:.1f}%'></i></td></tr>"
        for arm in report.arms
    )
    return (
        "<h2>Arms</h2><div class='wide'><table><thead><tr><th>arm</th><th>gets</th>"
        "<th class='n'>share</th><th class='n'>assigned</th><th class='n'>exposed</th><th></th>"
        f"</tr></thead><tbody>{rows}</tbody></table></div>{_ratio(report)}"
    )


def _ratio(report: Report) -> str:
    if report.look is None or not report.look.results:
        return "<p class='muted'>Nobody met it yet.</p>"
    ratio = report.look.results[0].sample_ratio_p_value
    verdict = (
        "the arms are not as large as the split says, so no result counts"
        if ratio < MISMATCH
        else "the arms are as large as the split says"
    )
    left_out = f" Left out: {escape(report.left_out)}." if report.left_out else ""
    return f"<p class='muted'>Sample ratio: p = {ratio:.3g}, {verdict}.{left_out}</p>"


def _findings(report: Report) -> Iterable[str]:
    if report.look is None:
        return
    yield "<h2>Effects</h2>"
    for result in report.look.results:
        yield _effect(report, result)
    deciding = [result for result in report.look.results if result.kind == "primary"]
    if deciding:
        yield "<h2>The sequence</h2>"
    for result in deciding:
        yield _sequence(report, result)


def _effect(report: Report, result: Result) -> str:
    mark = _mark(report, result.metric)
    direction = "" if METRICS[result.metric].is_better_high else ", less is better"
    share = "" if result.relative_effect is None else f" ({result.relative_effect:+.1%} of control)"
    of_mark = (
        f"<dt class='k-mark'>{escape(mark.label)}</dt><dd>{mark.value:+.4g}</dd>" if mark else ""
    )
    level = f"{(1 - report.experiment.design.alpha) * 100:g} %"
    return (
        f"<section class='effect'><h3>{escape(result.metric)} "
        f"<em class='{result.kind}'>{result.kind}</em></h3>"
        f"<p class='muted'>{escape(METRICS[result.metric].means)}{direction}</p>"
        f"<p><b>{escape(result.variant)}</b> {number(result.mean)} against "
        f"{number(result.control)}: <b>{number(result.effect, '+.4g')}</b>{share}</p>"
        f"{effect_plot(result, mark)}"
        f"<dl><dt class='k-fixed'>{level}, read once</dt>"
        f"<dd>{_bounds(result.low, result.high, result.p_value)}</dd>"
        f"<dt class='k-sequential'>{level}, at any time</dt><dd>"
        f"{_bounds(result.sequential_low, result.sequential_high, result.sequential_p_value)}</dd>"
        f"{of_mark}</dl></section>"
    )


def _bounds(low: float | None, high: float | None, p_value: float | None) -> str:
    known = "" if p_value is None else f", p = {p_value:.3g}"
    return f"{interval(low, high)}{known}"


def _mark(report: Report, metric: str) -> Mark | None:
    margin, wanted = report.margin(metric), report.minimum_effect(metric)
    if wanted is not None:
        return Mark(wanted, "to be found")
    return None if margin is None else Mark(margin, "the guard's margin")


def _sequence(report: Report, last: Result) -> str:
    points = [
        Point(look.read_at, row)
        for look in report.looks
        for row in look.results
        if (row.metric, row.variant) == (last.metric, last.variant)
    ]
    mark = _mark(report, last.metric)
    plot = sequence_plot(points, report.started.at, report.started.ends_at, [mark] if mark else [])
    return (
        f"<figure><figcaption>{escape(last.metric)}, {escape(last.variant)} less control: "
        f"{len(points)} {'look' if len(points) == 1 else 'looks'}, with the confidence sequence"
        f"</figcaption>{plot}</figure>"
    )


def _how_to_read(report: Report) -> str:
    design = report.experiment.design
    past = (
        f" What users did in the {written(design.cuped_window)} before it is taken into account."
        if design.cuped_window is not None
        else ""
    )
    reading = (
        "The interval at any time holds at all looks together, so it decides, whenever somebody "
        "looks."
        if design.is_sequential
        else "The interval that is read once decides, at the horizon; before it, only harm is "
        "looked for, by the interval at any time."
    )
    return (
        "<h2>How to read it</h2><p>Users count from their first exposure on, each once; who met "
        f"several variants or opted out does not.{past} {reading} Control stays unless it is "
        "surely beaten, all deciding comparisons considered, and no guard may be worse by more "
        f"than its margin. Fewer than {design.minimum_users:,} users in an arm decide nothing.</p>"
    )
