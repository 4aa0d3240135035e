"""The difference of two arms at a fixed horizon: Welch's test, absolute and relative.

The relative effect is the ratio of two means less one, and varies as the delta method says: what
the control's mean may be off counts as well. Its quantile is Student's, with the degrees of freedom
that Welch and Satterthwaite give to the difference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from feedback_platform.experiments.estimates import Estimate


@dataclass(frozen=True)
class Difference:
    """How far treatment is from control, before anybody says how sure that is.

    Attributes:
        effect: treatment less control; relative, as a share of control.
        standard_error: of the effect.
        users: of both arms.
        freedom: degrees of freedom of its t distribution.
    """

    effect: float
    standard_error: float
    users: int
    freedom: float


@dataclass(frozen=True)
class Interval:
    """Where an effect lies, and how likely so much is by chance.

    Attributes:
        low, high: its bounds.
        p_value: of no effect.
    """

    low: float
    high: float
    p_value: float

    def excludes(self, value: float) -> bool:
        """Return whether a value lies outside."""
        return not self.low <= value <= self.high


# What an interval is where too little is known.
ANYTHING = Interval(-math.inf, math.inf, 1.0)


def absolute(control: Estimate, treatment: Estimate) -> Difference | None:
    """Return the difference of two means; None where nothing varies, which tells nothing."""
    variances = control.variance_of_mean, treatment.variance_of_mean
    if sum(variances) <= 0:
        return None
    return Difference(
        treatment.mean - control.mean,
        math.sqrt(sum(variances)),
        control.users + treatment.users,
        _freedom(control, treatment),
    )


def relative(control: Estimate, treatment: Estimate) -> Difference | None:
    """Return the difference as a share of control; None of a control that is not above zero.

    Nor is anything known of a treatment in which nothing happened: a share of nothing is nothing,
    whatever control may be off by.
    """
    if control.mean <= 0:
        return None
    ratio = treatment.mean / control.mean
    variance = treatment.variance_of_mean + ratio**2 * control.variance_of_mean
    if variance <= 0:
        return None
    return Difference(
        ratio - 1,
        math.sqrt(variance) / control.mean,
        control.users + treatment.users,
        _freedom(control, treatment),
    )


def fixed(difference: Difference | None, alpha: float) -> Interval:
    """Return where an effect lies, read once: at a horizon that was set beforehand.

    Args:
        difference: of two arms; None is anything.
        alpha: how often the interval misses the truth.
    """
    if difference is None:
        return ANYTHING
    # A tenth of a second nobody else should pay.
    from scipy.special import stdtr, stdtrit  # noqa: PLC0415

    reach = float(stdtrit(difference.freedom, 1 - alpha / 2)) * difference.standard_error
    distance = abs(difference.effect) / difference.standard_error
    return Interval(
        difference.effect - reach,
        difference.effect + reach,
        float(2 * stdtr(difference.freedom, -distance)),
    )


def _freedom(control: Estimate, treatment: Estimate) -> float:
    """Return the degrees of freedom by Welch and Satterthwaite."""
    both = control.variance_of_mean + treatment.variance_of_mean
    return 1 / sum(
        (arm.variance_of_mean / both) ** 2 / (arm.users - 1) for arm in (control, treatment)
    )
