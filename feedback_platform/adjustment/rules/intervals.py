"""How sure a measured rate or mean is, and how sure a change of it.

What one user does is alike, so a thousand impressions of ten users tell less than those of a
thousand. All intervals here take the user as the unit: the variance is that of a ratio of two sums
over users (Cochran 1977, "Sampling Techniques", eq. 2.39), and the quantile is Student's, with a
degree of freedom for each user but one. A proportion gets Wilson's interval for as many independent
observations as would have that variance (Korn and Graubard 1998, "Confidence intervals for
proportions with small expected number of positive counts estimated from survey data").
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """Where a figure lies with some confidence."""

    low: float
    high: float

    def is_below(self, bound: float) -> bool:
        """Return whether all of it is below a bound."""
        return self.high < bound

    def is_above(self, bound: float) -> bool:
        """Return whether all of it is above a bound."""
        return self.low > bound


@dataclass(frozen=True)
class Sample:
    """What was measured of a metric, as sums over users.

    Attributes:
        users: who has an observation.
        count: observations: the denominator.
        total: sum of what was observed: the numerator.
        total_squares: sum over users of the square of each one's total.
        products: sum over users of each one's total times count.
        count_squares: sum over users of the square of each one's count.
    """

    users: int = 0
    count: int = 0
    total: float = 0.0
    total_squares: float = 0.0
    products: float = 0.0
    count_squares: float = 0.0

    @property
    def value(self) -> float | None:
        """The rate or mean; None of nothing."""
        return self.total / self.count if self.count else None


EVERYTHING = Interval(-math.inf, math.inf)


def interval_of(sample: Sample, level: float, *, is_proportion: bool) -> Interval:
    """Return where the rate or mean lies; anywhere, when fewer than two users were seen.

    Args:
        sample: what was measured.
        level: of confidence, such as 0.95.
        is_proportion: whether every observation is 0 or 1.
    """
    if sample.users < 2 or sample.value is None:  # noqa: PLR2004 - no spread in one user
        return EVERYTHING
    quantile = _student(sample.users - 1, level)
    variance = _variance(sample)
    if is_proportion:
        return wilson(sample.value, _independent(sample, variance), quantile)
    reach = quantile * math.sqrt(variance)
    return Interval(sample.value - reach, sample.value + reach)


def interval_of_change(
    before: Sample, after: Sample, level: float, *, is_proportion: bool
) -> Interval:
    """Return where `after` less `before` lies; anywhere, when either has fewer than two users.

    Both are taken as independent. Most users are in both, so the interval is rather too wide.
    """
    if min(before.users, after.users) < 2 or before.value is None or after.value is None:  # noqa: PLR2004
        return EVERYTHING
    change = after.value - before.value
    if is_proportion:
        return newcombe(
            before.value,
            interval_of(before, level, is_proportion=True),
            after.value,
            interval_of(after, level, is_proportion=True),
        )
    variances = _variance(before), _variance(after)
    both = sum(variances)
    if both == 0:
        return Interval(change, change)
    # Welch and Satterthwaite.
    freedom = both**2 / sum(
        variance**2 / (sample.users - 1)
        for variance, sample in zip(variances, (before, after), strict=True)
    )
    reach = _student(freedom, level) * math.sqrt(both)
    return Interval(change - reach, change + reach)


def wilson(share: float, observations: float, quantile: float) -> Interval:
    """Return Wilson's score interval of a proportion (Wilson 1927, JASA 22, 209 to 212)."""
    squared = quantile**2
    middle = share + squared / (2 * observations)
    reach = quantile * math.sqrt(
        share * (1 - share) / observations + squared / (4 * observations**2)
    )
    scale = 1 + squared / observations
    return Interval(max((middle - reach) / scale, 0.0), min((middle + reach) / scale, 1.0))


def newcombe(before: float, around: Interval, after: float, around_after: Interval) -> Interval:
    """Return the interval of `after` less `before` from those of both proportions.

    Method 10 of Newcombe 1998, "Interval estimation for the difference between independent
    proportions", Statistics in Medicine 17, 873 to 890.
    """
    change = after - before
    return Interval(
        change - math.hypot(after - around_after.low, around.high - before),
        change + math.hypot(around_after.high - after, before - around.low),
    )


def _variance(sample: Sample) -> float:
    """Return the variance of the rate or mean, the user being the unit."""
    ratio = sample.total / sample.count
    squares = sample.total_squares - 2 * ratio * sample.products + ratio**2 * sample.count_squares
    # The sum of squares may come out a rounding error below nothing.
    return max(squares, 0.0) * sample.users / (sample.users - 1) / sample.count**2


def _independent(sample: Sample, variance: float) -> float:
    """Return how many independent observations would be as sure, and never more than there are."""
    ratio = sample.total / sample.count
    spread = ratio * (1 - ratio)
    return sample.count if spread >= variance * sample.count else spread / variance


def _student(freedom: float, level: float) -> float:
    from scipy.special import stdtrit  # noqa: PLC0415 - a tenth of a second nobody else should pay

    return float(stdtrit(freedom, (1 + level) / 2))
