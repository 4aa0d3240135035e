"""What a story was to show: expected, by the truth; found, by the platform; held or not."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any, Final

import polars as pl

from feedback_platform.durations import written
from feedback_platform.scenario.definition import BrokenClient, Scenario, Shift
from feedback_platform.scenario.readings import Readings, fallen
from feedback_platform.scenario.story import Told
from feedback_platform.scenario.truth import expected_rate, planted_uplift

_CLICKS: Final = "click_through"
_REJECTED: Final = "rejected"
# What is in use, and what was.
_PROMOTED: Final = ("champion", "retired")
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Finding:
    """One thing that a story was to show.

    Attributes:
        name: what it is about.
        expected, found: sentences.
        is_held: whether what was found is what was expected.
        figures: behind the sentences, for programs.
    """

    name: str
    expected: str
    found: str
    is_held: bool
    figures: dict[str, Any] = field(default_factory=dict)


def findings(scenario: Scenario, told: Told, readings: Readings) -> list[Finding]:
    """Return what came of a story, in the order in which it was told."""
    return list(_findings(scenario, told, readings))


def _findings(scenario: Scenario, told: Told, readings: Readings) -> Iterator[Finding]:
    yield _uplift(scenario, told, readings)
    if scenario.shift is not None:
        yield _drift(scenario, scenario.shift, readings)
        yield _winning_back(scenario, scenario.shift, told, readings)
    if scenario.bad_model is not None:
        yield _gate(told, readings)
    yield _quarantine(scenario.broken_client, told, readings)


def _uplift(scenario: Scenario, told: Told, readings: Readings) -> Finding:
    trial = scenario.trial
    begins, ends = scenario.midnight(trial.day), scenario.midnight(trial.last_day)
    planted = planted_uplift(
        told.visits.filter(pl.col("at").is_between(begins, ends, closed="left"))
    )
    name = "the experiment finds the planted uplift"
    expected = (
        f"clicks for each impression: {planted.treatment:.4f} with {trial.treatment}, "
        f"{planted.control:.4f} with {trial.experiment.control}: {planted.effect:+.4f}"
    )
    result = readings.result(trial.experiment.key, trial.treatment)
    if result is None or result.effect is None:
        return Finding(name, expected, "nothing was measured", is_held=False)
    low, high = result.interval(is_sequential=trial.experiment.design.is_sequential)
    status, _ = readings.ended(trial.experiment.key)
    found = (
        f"{result.effect:+.4f}, interval {low:+.4f} to {high:+.4f}; {status}, decision: "
        f"{result.decision} ({result.reason})"
    )
    figures = {
        "planted": planted.effect,
        "visits": planted.visits,
        **asdict(result),
        "low": low,
        "high": high,
        "read_at": result.read_at.isoformat(),
    }
    return Finding(name, expected, found, is_found(planted.effect, low, high), figures)


def is_found(planted: float, low: float, high: float) -> bool:
    """Return whether an interval holds what was planted, and tells it from nothing where it is."""
    is_told_apart = planted == 0 or not low <= 0 <= high
    return low <= planted <= high and is_told_apart


def _drift(scenario: Scenario, shift: Shift, readings: Readings) -> Finding:
    at = scenario.midnight(shift.day)
    name = "drift detection notices the taste shift"
    expected = f"a fall of {_CLICKS} within {written(shift.noticed_within)} after {at:%Y-%m-%d}"
    changes = readings.drift()
    after = fallen(changes, at)
    early = len(fallen(changes, scenario.midnight(0))) - len(after)
    if not after:
        return Finding(name, expected, "no fall was noticed", is_held=False)
    first = after[0]
    delay = first.detected_at - at
    found = (
        f"from {first.before_mean:.4f} to {first.after_mean:.4f}, noticed after "
        f"{delay / _DAY:.1f} days; {early} false alarms before"
    )
    figures = {
        "delay_days": delay / _DAY,
        "before": first.before_mean,
        "after": first.after_mean,
        "false_alarms": early,
    }
    is_held = not early and delay <= shift.noticed_within
    return Finding(name, expected, found, is_held, figures)


def _winning_back(scenario: Scenario, shift: Shift, told: Told, readings: Readings) -> Finding:
    trial, shifted = scenario.trial, scenario.midnight(shift.day)
    name = "retraining wins engagement back"
    expected = f"at least {shift.won_back:.0%} of the click-through lost by the shift comes back"
    after = fallen(readings.drift(), shifted)
    trained = [each for each in readings.trainings() if after and each.trained_at > shifted]
    promoted = [
        each
        for each in trained
        if each.trained_at >= after[0].detected_at and each.status in _PROMOTED
    ]
    if not promoted:
        found = f"none of {len(trained)} trainings after drift was noticed came into use"
        return Finding(name, expected, found, is_held=False)
    retrained = promoted[0].trained_at
    spans = {
        "before": (scenario.midnight(trial.day), shifted),
        "shifted": (shifted, retrained),
        "retrained": (retrained, scenario.midnight(scenario.days)),
    }
    rates = {
        name: readings.rate(trial.experiment.key, trial.personal, *span)
        for name, span in spans.items()
    }
    truths = {
        name: expected_rate(told.visits, trial.personal, *span) for name, span in spans.items()
    }
    lost = rates["before"].value - rates["shifted"].value
    share = (rates["retrained"].value - rates["shifted"].value) / lost if lost > 0 else math.nan
    shown = ", ".join(
        f"{rates[each].value:.4f} {label} (truth {truths[each]:.4f})"
        for each, label in (
            ("before", "before"),
            ("shifted", "after the shift"),
            ("retrained", "after retraining"),
        )
    )
    found = f"{shown}: " + (
        "nothing was lost" if math.isnan(share) else f"{share:.0%} of the loss came back"
    )
    figures = {
        **{each: rate.value for each, rate in rates.items()},
        **{f"true_{each}": value for each, value in truths.items()},
        "impressions": {each: rate.impressions for each, rate in rates.items()},
        "won_back": share,
        "retrained_at": retrained.isoformat(),
        "trigger": promoted[0].trigger,
        "refused_before": len([each for each in trained if each.trained_at < retrained]),
    }
    return Finding(name, expected, found, share >= shift.won_back, figures)


def _gate(told: Told, readings: Readings) -> Finding:
    status, reason = readings.verdict(told.pushed)
    served = set(told.visits["model_version"])
    is_held = status == _REJECTED and bool(reason) and told.pushed not in served
    found = f"{status}, shown to {'somebody' if told.pushed in served else 'nobody'}: {reason}"
    expected = f"rejected with its reason, and {told.champion_at_push} stays in use"
    figures = {
        "version": told.pushed,
        "status": status,
        "reason": reason,
        "champion": told.champion_at_push,
    }
    return Finding("the gate stops the bad model", expected, found, is_held, figures)


def _quarantine(broken: BrokenClient | None, told: Told, readings: Readings) -> Finding:
    put_aside = readings.quarantine()
    by_day = {day: sum(reasons.values()) for day, reasons in put_aside.items()}
    reasons: dict[str, int] = {}
    for each in put_aside.values():
        for reason, events in each.items():
            reasons[reason] = reasons.get(reason, 0) + events
    days = ", ".join(f"{day} {rows:,}" for day, rows in sorted(told.bad_rows.items()))
    expected = f"bad rows on {days}, and no others" if days else "nothing is put aside"
    shown = ", ".join(f"{day} {rows:,}" for day, rows in by_day.items()) or "nothing"
    why = ", ".join(f"{reason} {events:,}" for reason, events in sorted(reasons.items()))
    found = f"{shown}" + (f" ({why})" if why else "")
    name = "the quarantine shows the broken client" if broken else "the quarantine stays empty"
    figures = {"expected": _by_text(told.bad_rows), "found": _by_text(by_day), "reasons": reasons}
    return Finding(name, expected, found, by_day == told.bad_rows, figures)


def _by_text(rows: dict[Any, int]) -> dict[str, int]:
    return {str(day): count for day, count in rows.items()}
