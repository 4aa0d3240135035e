"""What another policy would have earned, estimated from what the one in force has shown.

Each logged impression says what was shown, with what probability (its propensity), and what came of
it. A policy that would show the same thing with another probability counts that impression more or
less, by the ratio of the two. Three estimators, in the order of what they ask for:

- inverse propensity: right on average, and wild where the ratios are large (Horvitz and Thompson,
  1952);
- self-normalised: divided by the sum of the ratios, a little biased and much calmer (Swaminathan
  and Joachims, 2015);
- doubly robust: a model's prediction, corrected by what was observed; right on average when either
  the propensities or the model are (Dudík, Langford and Li, 2011).

None of them can see what the logs never showed. `mean_weight` tells: it is near 1 where the logs
cover what the other policy would do, and lies below where they do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.evaluation import MeanDifference

Estimator = Literal["inverse_propensity", "self_normalised", "doubly_robust"]
_RESAMPLES: Final = 2000


@dataclass(frozen=True, eq=False)
class LoggedImpressions:
    """Impressions of the policy in force, beside what another would have done; all (n,).

    Attributes:
        rewards: what came of each, such as 1 for a click.
        propensities: the probability with which it was shown, in (0, 1].
        target: the probability with which the other policy shows it, in [0, 1].
        units: who saw it; impressions of one unit are resampled together.
        predicted: a model's expectation of the reward, fitted on other impressions than these.
        predicted_target: the same, averaged over what the other policy would show.

    Raises:
        InvalidInputError: lengths differ, a probability is none, or one of the predictions is
            missing.
    """

    rewards: NDArray[np.float64]
    propensities: NDArray[np.float64]
    target: NDArray[np.float64]
    units: NDArray[np.int64]
    predicted: NDArray[np.float64] | None = None
    predicted_target: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        given = {name: value for name, value in vars(self).items() if value is not None}
        lengths = {name: len(value) for name, value in given.items()}
        if len(set(lengths.values())) != 1 or not len(self.rewards):
            raise InvalidInputError(f"Impressions need a value each, and there is none: {lengths}.")
        for name, values in given.items():
            if not np.isfinite(values).all():
                raise InvalidInputError(f"Impressions have {name} that are not finite numbers.")
        if not ((self.propensities > 0) & (self.propensities <= 1)).all():
            raise InvalidInputError(
                "The propensity of an impression that was shown lies above 0 and is 1 at most; "
                "leave out impressions whose propensity was not logged."
            )
        if not ((self.target >= 0) & (self.target <= 1)).all():
            raise InvalidInputError("The other policy's probabilities have to lie from 0 to 1.")
        if (self.predicted is None) != (self.predicted_target is None):
            raise InvalidInputError(
                "A prediction is needed of what was shown and of what the other policy shows; "
                "one of the two is missing."
            )

    @property
    def weights(self) -> NDArray[np.float64]:
        """How much each impression counts for the other policy."""
        return self.target / self.propensities


@dataclass(frozen=True)
class PolicyValue:
    """The reward of an impression under the other policy, as estimated.

    Attributes:
        estimator: which.
        value: the estimate.
        low: of its interval.
        high: of its interval.
        impressions: how many were logged.
        effective_impressions: how many of equal weight would say as much (Kish, 1965).
        mean_weight: near 1 where the logs cover the other policy.
    """

    estimator: Estimator
    value: float
    low: float
    high: float
    impressions: int
    effective_impressions: float
    mean_weight: float


def estimate(
    logged: LoggedImpressions,
    estimator: Estimator,
    *,
    seed: int,
    largest_weight: float | None = None,
    level: float = 0.95,
) -> PolicyValue:
    """Estimate what the other policy would have earned an impression.

    The interval is the percentile bootstrap over units (Efron and Tibshirani, 1993, ch. 13).

    Args:
        logged: the impressions.
        estimator: which; `doubly_robust` needs predictions.
        seed: of the resampling.
        largest_weight: weights above it are cut to it: less wild, and biased. Nothing is cut when
            left out.
        level: coverage of the interval.

    Raises:
        InvalidInputError: predictions are missing, or the other policy would have shown none of it.
    """
    weights = _weights(logged, largest_weight)
    ratio = _ratio(logged, weights, estimator)
    low, high = _interval(ratio.resampled(seed), level)
    return PolicyValue(
        estimator=estimator,
        value=ratio.value,
        low=low,
        high=high,
        impressions=len(weights),
        effective_impressions=float(weights.sum() ** 2 / (weights**2).sum()),
        mean_weight=float(weights.mean()),
    )


def value_difference(
    first: LoggedImpressions,
    second: LoggedImpressions,
    estimator: Estimator,
    *,
    seed: int,
    largest_weight: float | None = None,
    level: float = 0.95,
) -> MeanDifference:
    """Estimate how much more an impression would have earned under one policy than under another.

    Both are estimated from the same logs. The interval resamples units, and each time those of both
    policies together, so what the two have in common does not widen it.

    Args:
        first: the logs beside the policy that is looked at.
        second: the same logs beside the policy it is compared with.
        estimator: which; see `estimate`.
        seed: of the resampling.
        largest_weight: see `estimate`.
        level: coverage of the interval.

    Raises:
        InvalidInputError: the logs are not the same, or see `estimate`.
    """
    if not (
        np.array_equal(first.units, second.units) and np.array_equal(first.rewards, second.rewards)
    ):
        raise InvalidInputError("Two policies can only be compared by the same impressions.")
    ours, theirs = (
        _ratio(logged, _weights(logged, largest_weight), estimator) for logged in (first, second)
    )
    low, high = _interval(ours.resampled(seed) - theirs.resampled(seed), level)
    return MeanDifference(ours.value - theirs.value, low, high)


def _weights(logged: LoggedImpressions, largest: float | None) -> NDArray[np.float64]:
    weights = logged.weights if largest is None else np.minimum(logged.weights, largest)
    if not weights.any():
        raise InvalidInputError(
            "The other policy would have shown nothing of what was logged, so the logs say nothing "
            "about it."
        )
    return weights


@dataclass(frozen=True, eq=False)
class _Ratio:
    """An estimate as a sum by a sum, (units,) each."""

    numerators: NDArray[np.float64]
    denominators: NDArray[np.float64]

    @property
    def value(self) -> float:
        return float(self.numerators.sum() / self.denominators.sum())

    def resampled(self, seed: int) -> NDArray[np.float64]:
        """Return the value of each resample; NaN where all of it is what is never shown.

        What one unit saw is no independent evidence, so whole units are drawn.
        """
        generator = np.random.default_rng(seed)
        units = len(self.numerators)
        values = np.full(_RESAMPLES, np.nan)
        for resample in range(_RESAMPLES):
            drawn = generator.integers(0, units, units)
            total = self.denominators[drawn].sum()
            if total > 0:
                values[resample] = self.numerators[drawn].sum() / total
        return values


def _ratio(logged: LoggedImpressions, weights: NDArray[np.float64], estimator: Estimator) -> _Ratio:
    ones = np.ones(len(weights))
    if estimator == "inverse_propensity":
        terms, divisors = weights * logged.rewards, ones
    elif estimator == "self_normalised":
        terms, divisors = weights * logged.rewards, weights
    else:
        if logged.predicted is None or logged.predicted_target is None:
            raise InvalidInputError("The doubly robust estimator needs a model's predictions.")
        corrections = weights * (logged.rewards - logged.predicted)
        terms, divisors = logged.predicted_target + corrections, ones
    _, units = np.unique(logged.units, return_inverse=True)
    return _Ratio(
        np.bincount(units, weights=terms).astype(np.float64),
        np.bincount(units, weights=divisors).astype(np.float64),
    )


def _interval(values: NDArray[np.float64], level: float) -> tuple[float, float]:
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
