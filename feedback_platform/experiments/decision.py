"""What follows from a look at an experiment, for each variant. Control stays unless it is beaten.

What ships has to be better, surely, by a metric that decides, and must not be surely worse by
another; and of each guard the whole interval has to be on the good side of its margin. What has
not been found when the time is over is not there. Harm is looked for at every look, by the
confidence sequence, also where the design says that nothing else is to be read before the horizon.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from feedback_platform.experiments.analysis import Analysis, Reading
from feedback_platform.experiments.definition import Experiment, Guard
from feedback_platform.experiments.effects import Interval
from feedback_platform.experiments.metrics import METRICS
from feedback_platform.experiments.sample_ratio import MISMATCH
from feedback_platform.multiplicity import holm


class Verdict(StrEnum):
    """What to do with a variant."""

    SHIP = "ship"
    KEEP_CONTROL = "keep control"
    WAIT = "wait"
    STOP = "stop: harms"
    INVALID = "invalid: sample ratio"


@dataclass(frozen=True)
class Decision:
    """What to do with a variant, and why."""

    verdict: Verdict
    reason: str


def decide(experiment: Experiment, analysis: Analysis, *, is_over: bool) -> dict[str, Decision]:
    """Return what to do with each variant but control.

    Args:
        experiment: what was planned.
        analysis: what was read at this look.
        is_over: whether the horizon has passed.
    """
    if analysis.sample_ratio_p_value < MISMATCH:
        counted = ", ".join(f"{name} {users:,}" for name, users in analysis.users.items())
        reason = f"arms like these come by chance with p = {analysis.sample_ratio_p_value:.2g}: "
        invalid = Decision(Verdict.INVALID, reason + counted)
        return dict.fromkeys(experiment.treatments, invalid)
    is_sequential = experiment.design.is_sequential
    better = _surely_better(experiment, analysis)
    return {
        variant: _decide(
            experiment, analysis, variant, better, is_read=is_sequential or is_over, is_over=is_over
        )
        for variant in experiment.treatments
    }


def winner(
    experiment: Experiment, analysis: Analysis, decisions: Mapping[str, Decision]
) -> str | None:
    """Return the variant to ship, the one with the best first metric; None to keep control."""
    shipping = [name for name, each in decisions.items() if each.verdict is Verdict.SHIP]
    first = experiment.primary[0].metric
    return max(shipping, key=lambda name: _gain(analysis.readings[first, name]), default=None)


def _decide(
    experiment: Experiment,
    analysis: Analysis,
    variant: str,
    better: Mapping[tuple[str, str], float],
    *,
    is_read: bool,
    is_over: bool,
) -> Decision:
    undecided = Verdict.KEEP_CONTROL if is_over else Verdict.WAIT
    fewest = min(analysis.users[name] for name in (experiment.control, variant))
    if fewest < experiment.design.minimum_users:
        needed = experiment.design.minimum_users
        return Decision(undecided, f"an arm has {fewest:,} users of {needed:,}")
    harm = _harm(experiment, analysis, variant, is_over=is_over)
    if harm:
        return Decision(Verdict.STOP, harm)
    if not is_read:
        return Decision(undecided, "read at its horizon")
    won = [goal.metric for goal in experiment.primary if (goal.metric, variant) in better]
    if not won:
        return Decision(undecided, "no deciding metric is surely better")
    for guard in experiment.guards:
        reading = analysis.readings[guard.metric, variant]
        if not _is_safe(guard, _deciding(experiment, reading)):
            return Decision(undecided, f"{guard.metric} may be worse by more than {guard.margin:g}")
    return Decision(Verdict.SHIP, f"better: {', '.join(won)}")


def _surely_better(experiment: Experiment, analysis: Analysis) -> dict[tuple[str, str], float]:
    """Return (metric, variant) → p-value of what is better, all deciding comparisons considered."""
    compared = [
        (goal.metric, variant) for goal in experiment.primary for variant in experiment.treatments
    ]
    readings = [analysis.readings[each] for each in compared]
    adjusted = holm([_deciding(experiment, reading).p_value for reading in readings])
    return {
        each: p_value
        for each, reading, p_value in zip(compared, readings, adjusted, strict=True)
        if p_value < experiment.design.alpha and _gain(reading) > 0
    }


def _harm(experiment: Experiment, analysis: Analysis, variant: str, *, is_over: bool) -> str:
    """Return what is surely worse, nothing where nothing is."""
    limits = {goal.metric: 0.0 for goal in experiment.primary}
    limits |= {
        guard.metric: guard.margin for guard in experiment.guards if guard.metric not in limits
    }
    for metric, margin in limits.items():
        reading = analysis.readings[metric, variant]
        read = _deciding(experiment, reading) if is_over else reading.sequential
        if _gains(metric, read)[1] < -margin:
            return f"{metric} is worse by more than {margin:g}" if margin else f"{metric} is worse"
    return ""


def _deciding(experiment: Experiment, reading: Reading) -> Interval:
    return reading.sequential if experiment.design.is_sequential else reading.fixed


def _is_safe(guard: Guard, interval: Interval) -> bool:
    return _gains(guard.metric, interval)[0] > -guard.margin


def _gain(reading: Reading) -> float:
    """Return the effect in the direction in which more is good."""
    effect = reading.effect or 0.0
    return effect if METRICS[reading.metric].is_better_high else -effect


def _gains(metric: str, interval: Interval) -> tuple[float, float]:
    """Return the bounds of an interval in the direction in which more is good."""
    if METRICS[metric].is_better_high:
        return interval.low, interval.high
    return -interval.high, -interval.low
