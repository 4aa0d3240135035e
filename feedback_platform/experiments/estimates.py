"""The mean of a metric in two arms, and how sure each is: means, shares, ratios, with CUPED.

A ratio of two sums over users varies as the delta method says (Deng, Knoblich, Lu 2018, "Applying
the delta method in metric analytics", KDD). CUPED takes away what a user's own past explains: the
part of the past's deviation that goes with the metric (Deng, Xu, Kohavi, Walker 2013, "Improving
the sensitivity of online controlled experiments by utilizing pre-experiment data", WSDM). The
algebra of variances and covariances is that of tea-tasting's aggregates; nothing of it that is used
here asks its global configuration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from feedback_platform.experiments.metrics import Kind
from feedback_platform.experiments.sums import COUNT, COUNT_BEFORE, TOTAL, TOTAL_BEFORE, Sums

if TYPE_CHECKING:
    from tea_tasting.aggr import Aggregates


@dataclass(frozen=True)
class Estimate:
    """The mean of a metric in an arm.

    Attributes:
        mean: the mean, share or ratio; with CUPED, less what the past explains.
        variance: of one user's contribution; that of the mean is a users-th of it.
        users: of the arm.
    """

    mean: float
    variance: float
    users: int

    @property
    def variance_of_mean(self) -> float:
        """How far the mean may be off, squared."""
        return self.variance / self.users


def estimate_arms(
    control: Sums, treatment: Sums, kind: Kind, *, is_adjusted: bool = False
) -> tuple[Estimate, Estimate] | None:
    """Return what is known of a metric in two arms; None where there is too little to say.

    Args:
        control, treatment: sums over users.
        kind: of the metric.
        is_adjusted: whether the sums have the users' past and it is taken into account (CUPED).
    """
    if min(_base(control, kind), _base(treatment, kind)) <= 0:
        return None
    first, second = _aggregates(control, kind), _aggregates(treatment, kind)
    if is_adjusted and min(_past(control, kind), _past(treatment, kind)) > 0:
        both = first + second
        before = _denominator(kind, COUNT_BEFORE)
        varies = both.ratio_var(TOTAL_BEFORE, before)
        if varies > 0:
            slope = _covariance(both, kind) / varies
            middle = _ratio(both, TOTAL_BEFORE, before)
            return (
                _adjusted(first, kind, slope, middle),
                _adjusted(second, kind, slope, middle),
            )
    return _plain(first, kind), _plain(second, kind)


def estimate(sums: Sums, kind: Kind) -> Estimate | None:
    """Return what is known of a metric in all users together, as a baseline; None of nothing."""
    return _plain(_aggregates(sums, kind), kind) if _base(sums, kind) > 0 else None


def _base(sums: Sums, kind: Kind) -> float:
    """Return what the mean is divided by; nothing where fewer than two users can vary."""
    if sums.users < 2:  # noqa: PLR2004 - one user has no spread
        return 0.0
    return sums.sums[COUNT] if kind is Kind.RATIO else sums.users


def _past(sums: Sums, kind: Kind) -> float:
    """Return what the mean of the past is divided by; nothing where nobody has a past."""
    return sums.sums[COUNT_BEFORE] if kind is Kind.RATIO else sums.users


def _plain(arm: Aggregates, kind: Kind) -> Estimate:
    denominator = _denominator(kind, COUNT)
    variance = arm.ratio_var(TOTAL, denominator)
    if kind is Kind.SHARE:
        # p (1 - p), as tests of proportions have it.
        variance *= 1 - 1 / arm.count()
    return Estimate(_ratio(arm, TOTAL, denominator), max(float(variance), 0.0), arm.count())


def _adjusted(arm: Aggregates, kind: Kind, slope: float, middle: float) -> Estimate:
    before = _denominator(kind, COUNT_BEFORE)
    plain = _plain(arm, kind)
    shift = slope * (_ratio(arm, TOTAL_BEFORE, before) - middle)
    variance = (
        arm.ratio_var(TOTAL, _denominator(kind, COUNT))
        - 2 * slope * _covariance(arm, kind)
        + slope**2 * arm.ratio_var(TOTAL_BEFORE, before)
    )
    return Estimate(plain.mean - shift, max(float(variance), 0.0), plain.users)


def _covariance(arm: Aggregates, kind: Kind) -> float:
    """Return how a metric goes with its past, from user to user."""
    return float(
        arm.ratio_cov(
            TOTAL, _denominator(kind, COUNT), TOTAL_BEFORE, _denominator(kind, COUNT_BEFORE)
        )
    )


def _denominator(kind: Kind, name: str) -> str | None:
    return name if kind is Kind.RATIO else None


def _ratio(arm: Aggregates, numerator: str, denominator: str | None) -> float:
    return float(arm.mean(numerator) / arm.mean(denominator))


def _aggregates(sums: Sums, kind: Kind) -> Aggregates:
    """Return means and covariances from sums."""
    # Importing it takes a second that nobody else should pay.
    from tea_tasting.aggr import Aggregates  # noqa: PLC0415

    users = sums.users
    known = (TOTAL, TOTAL_BEFORE) if kind is not Kind.RATIO else tuple(sums.sums)
    means = {name: value / users for name, value in sums.sums.items() if name in known}
    covariances = {
        pair: (value - users * means[pair[0]] * means[pair[1]]) / (users - 1)
        for pair, value in sums.products.items()
        if pair[0] in means and pair[1] in means
    }
    return Aggregates(
        count_=users,
        mean_=means,
        var_={first: value for (first, last), value in covariances.items() if first == last},
        cov_={pair: value for pair, value in covariances.items() if pair[0] != pair[1]},
    )
