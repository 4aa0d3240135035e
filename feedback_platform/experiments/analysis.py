"""Everything that is read of an experiment at one look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from feedback_platform.experiments.definition import Experiment
from feedback_platform.experiments.effects import (
    ANYTHING,
    Difference,
    Interval,
    absolute,
    fixed,
    relative,
)
from feedback_platform.experiments.estimates import estimate_arms
from feedback_platform.experiments.metrics import METRICS
from feedback_platform.experiments.sample_ratio import sample_ratio_p_value
from feedback_platform.experiments.sequential import any_time
from feedback_platform.experiments.sums import TOTAL_BEFORE, Sums
from feedback_platform.experiments.support import SMALLEST, support


@dataclass(frozen=True)
class Reading:
    """A metric of a variant beside control.

    Attributes:
        metric, variant: which.
        users: of the variant.
        control, mean: of the metric in control and in the variant; None where nothing is known.
        effect: mean less control, in the metric's own unit.
        fixed: where the effect lies, read once at the horizon.
        sequential: where it lies, read at any time.
        relative_effect: the effect as a share of control; None of a control not above zero, or
            where too little has happened to say how sure anything is.
        relative, relative_sequential: where that lies.
    """

    metric: str
    variant: str
    users: int
    control: float | None = None
    mean: float | None = None
    effect: float | None = None
    fixed: Interval = ANYTHING
    sequential: Interval = ANYTHING
    relative_effect: float | None = None
    relative: Interval = ANYTHING
    relative_sequential: Interval = ANYTHING


@dataclass(frozen=True)
class Analysis:
    """What one look at an experiment has found.

    Attributes:
        users: variant → how many were exposed.
        sample_ratio_p_value: how likely these are by the split.
        readings: (metric, variant) → what was read, of each variant but control.
    """

    users: Mapping[str, int]
    sample_ratio_p_value: float
    readings: Mapping[tuple[str, str], Reading]


def analyse(
    experiment: Experiment,
    users: Mapping[str, int],
    observed: Mapping[str, Mapping[str, Sums]],
) -> Analysis:
    """Return what there is to read.

    Args:
        experiment: what was planned.
        users: variant → how many were exposed.
        observed: metric → variant → sums over the exposed users.
    """
    readings = {
        (metric, variant): _read(experiment, metric, variant, observed.get(metric, {}))
        for metric in experiment.metrics
        for variant in experiment.treatments
    }
    ratio = sample_ratio_p_value(users, experiment.split)
    return Analysis({name: users.get(name, 0) for name in experiment.variants}, ratio, readings)


def _read(experiment: Experiment, metric: str, variant: str, arms: Mapping[str, Sums]) -> Reading:
    control, treatment = arms.get(experiment.control, Sums()), arms.get(variant, Sums())
    design = experiment.design
    is_adjusted = design.cuped_window is not None and all(
        TOTAL_BEFORE in arm.sums for arm in (control, treatment)
    )
    estimates = estimate_arms(control, treatment, METRICS[metric].kind, is_adjusted=is_adjusted)
    if estimates is None:
        return Reading(metric, variant, treatment.users)
    is_settled = support(control, treatment, METRICS[metric]) >= SMALLEST
    difference = absolute(*estimates) if is_settled else None
    share = relative(*estimates) if is_settled else None
    return Reading(
        metric=metric,
        variant=variant,
        users=treatment.users,
        control=estimates[0].mean,
        mean=estimates[1].mean,
        effect=estimates[1].mean - estimates[0].mean,
        fixed=fixed(difference, design.alpha),
        sequential=_any_time(difference, experiment),
        relative_effect=None if share is None else share.effect,
        relative=fixed(share, design.alpha),
        relative_sequential=_any_time(share, experiment),
    )


def _any_time(difference: Difference | None, experiment: Experiment) -> Interval:
    return any_time(difference, experiment.design.alpha, experiment.design.tuned_for)
