"""The rows of `metrics.experiment_results`: what a look has found, one a metric and variant."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from feedback_platform.experiments.analysis import Analysis, Reading
from feedback_platform.experiments.decision import Decision
from feedback_platform.experiments.definition import Experiment
from feedback_platform.experiments.effects import Interval


@dataclass(frozen=True)
class Result:
    """A row; what could be anything is None.

    Attributes:
        experiment_id, metric, variant: the key.
        kind: whether the metric decides (`primary`), explains (`secondary`) or must not get worse
            (`guard`).
        n: users of the variant.
        control, mean: of the metric in control and in the variant.
        effect: mean less control, in the metric's own unit.
        low, high, p_value: where it lies, read once at the horizon.
        sequential_low, sequential_high, sequential_p_value: read at any time.
        relative_effect, relative_low, relative_high: as a share of control, at the horizon.
        sample_ratio_p_value: of the experiment.
        decision, reason: what to do with the variant, and why.
    """

    experiment_id: str
    metric: str
    variant: str
    kind: str
    n: int
    control: float | None
    mean: float | None
    effect: float | None
    low: float | None
    high: float | None
    p_value: float | None
    sequential_low: float | None
    sequential_high: float | None
    sequential_p_value: float | None
    relative_effect: float | None
    relative_low: float | None
    relative_high: float | None
    sample_ratio_p_value: float
    decision: str
    reason: str


def results(
    experiment: Experiment, analysis: Analysis, decisions: Mapping[str, Decision]
) -> list[Result]:
    """Return the rows of one experiment, in the order of its metrics and variants."""
    return [
        _row(experiment, analysis, reading, decisions[reading.variant])
        for reading in analysis.readings.values()
    ]


def _row(
    experiment: Experiment, analysis: Analysis, reading: Reading, decision: Decision
) -> Result:
    fixed, sequential, relative = (
        _bounds(each) for each in (reading.fixed, reading.sequential, reading.relative)
    )
    return Result(
        experiment_id=experiment.key,
        metric=reading.metric,
        variant=reading.variant,
        kind=experiment.kind_of(reading.metric),
        n=reading.users,
        control=reading.control,
        mean=reading.mean,
        effect=reading.effect,
        low=fixed[0],
        high=fixed[1],
        p_value=fixed[2],
        sequential_low=sequential[0],
        sequential_high=sequential[1],
        sequential_p_value=sequential[2],
        relative_effect=reading.relative_effect,
        relative_low=relative[0],
        relative_high=relative[1],
        sample_ratio_p_value=analysis.sample_ratio_p_value,
        decision=decision.verdict.value,
        reason=decision.reason,
    )


def _bounds(interval: Interval) -> tuple[float | None, float | None, float | None]:
    if math.isfinite(interval.low) and math.isfinite(interval.high):
        return interval.low, interval.high, interval.p_value
    return None, None, None
