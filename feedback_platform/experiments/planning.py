"""How many users it takes to find an effect, and what so many users can find.

At a fixed horizon: the sum of the standard errors without and with the effect, each times its
normal quantile, has to fit into the effect; without it, both arms are as the baseline is (as Evan
Miller's calculator has it, evanmiller.org/ab-testing/sample-size.html). A share has another
variance when it has changed; other metrics are taken to keep theirs. Read sequentially, the effect
has to reach from the middle of the confidence sequence over its edge: at the latest with that many
users the variant is found with the power asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Final

from feedback_platform.errors import InvalidInputError
from feedback_platform.experiments.definition import Design
from feedback_platform.experiments.estimates import Estimate
from feedback_platform.experiments.metrics import Kind
from feedback_platform.experiments.sequential import breadth, tuning

_MOST_USERS: Final = 1e12
_NORMAL: Final = NormalDist()


@dataclass(frozen=True)
class Baseline:
    """What a metric is before anything is changed.

    Attributes:
        mean: the mean, share or ratio.
        variance: of one user's contribution to it.
        kind: of the metric.
    """

    mean: float
    variance: float
    kind: Kind = Kind.MEAN

    @classmethod
    def of_share(cls, share: float) -> Baseline:
        """Return the baseline of a share of users."""
        return cls(share, share * (1 - share), Kind.SHARE)

    @classmethod
    def of(cls, estimate: Estimate, kind: Kind) -> Baseline:
        """Return the baseline that was measured."""
        return cls(estimate.mean, estimate.variance, kind)

    def explained(self, correlation: float) -> Baseline:
        """Return the baseline under CUPED.

        Args:
            correlation: of what users do with what they did before.
        """
        return replace(self, variance=self.variance * (1 - correlation**2))

    def changed(self, effect: float) -> Baseline:
        """Return the baseline after an effect.

        Raises:
            InvalidInputError: no share of users can be so much.
        """
        mean = self.mean + effect
        if self.kind is not Kind.SHARE:
            return replace(self, mean=mean)
        if not 0 <= mean <= 1:
            raise InvalidInputError(
                f"A share of {self.mean:g} cannot change by {effect:+g}: it would be {mean:g}. "
                "Name a smaller minimum effect."
            )
        spread = self.mean * (1 - self.mean)
        unexplained = self.variance / spread if spread else 1.0
        return Baseline(mean, mean * (1 - mean) * unexplained, Kind.SHARE)


@dataclass(frozen=True)
class Shares:
    """The parts of all participants that two arms have, from 0 to 1."""

    control: float = 0.5
    treatment: float = 0.5


def users_needed(
    baseline: Baseline, effect: float, design: Design, shares: Shares, comparisons: int = 1
) -> float:
    """Return how many participants in all arms a fixed horizon needs.

    Args:
        baseline: of the metric.
        effect: to be found, with its sign.
        design: alpha and power.
        shares: of two arms of all participants.
        comparisons: deciding comparisons; Holm's first step has each at alpha over their number.
    """
    quantile = _NORMAL.inv_cdf(1 - design.alpha / comparisons / 2)
    without = _spread(baseline, baseline, shares)
    with_effect = _spread(baseline, baseline.changed(effect), shares)
    reach = quantile * without + _NORMAL.inv_cdf(design.power) * with_effect
    return (reach / effect) ** 2


def users_needed_sequentially(
    baseline: Baseline, effect: float, design: Design, shares: Shares, comparisons: int = 1
) -> float:
    """Return after how many participants in all arms an effect is found that is read any time.

    Args: as of `users_needed`.
    """
    rho = tuning(design.alpha, design.tuned_for)
    level = design.alpha / comparisons
    of_both = shares.control + shares.treatment
    spread = _spread(baseline, baseline.changed(effect), shares)

    def is_enough(users: float) -> bool:
        reach = breadth(users * of_both, level, rho) + _NORMAL.inv_cdf(design.power)
        return reach * spread / math.sqrt(users) <= abs(effect)

    return _smallest(is_enough, 1.0, _MOST_USERS)


def detectable_effect(
    baseline: Baseline,
    users: float,
    design: Design,
    shares: Shares,
    comparisons: int = 1,
    *,
    is_up: bool = True,
) -> float | None:
    """Return the smallest effect that so many participants find, None where none can be found.

    Args:
        baseline: of the metric.
        users: participants in all arms.
        design: alpha and power, and whether it is read sequentially.
        shares: of two arms of all participants.
        comparisons: deciding comparisons.
        is_up: whether the metric is to rise.
    """
    needed = users_needed_sequentially if design.is_sequential else users_needed
    sign = 1 if is_up else -1
    largest = math.sqrt(baseline.variance) * 1e3 or 1.0
    if baseline.kind is Kind.SHARE:
        largest = 1 - baseline.mean if is_up else baseline.mean

    def is_found(effect: float) -> bool:
        return needed(baseline, sign * effect, design, shares, comparisons) <= users

    if largest <= 0 or not is_found(largest):
        return None
    return sign * _smallest(is_found, largest * 1e-9, largest)


def _spread(control: Baseline, treatment: Baseline, shares: Shares) -> float:
    """Return the standard error of the difference that one participant would have."""
    return math.sqrt(control.variance / shares.control + treatment.variance / shares.treatment)


def _smallest(is_enough: Callable[[float], bool], low: float, high: float) -> float:
    """Return the smallest number that is enough, to a millionth of itself."""
    while high > low * (1 + 1e-6):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high
