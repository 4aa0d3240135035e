"""From a ranker's sum of leaves to a probability that can be shown.

Platt's scaling (1999): a straight line on the logit scale, fitted on users that the trees have not
seen. Its two numbers stay steady with few clicks, and it changes no order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Values = NDArray[np.float64]

BINS: Final = 10
_STEPS: Final = 50
_SETTLED: Final = 1e-9
# Pulls the slope towards 1 and keeps a slice without any click finite, like one example would.
_PRIOR: Final = 1.0
_STEEPEST: Final = 20.0


@dataclass(frozen=True)
class Calibration:
    """The line: log odds = intercept + slope · sum of leaves."""

    intercept: float
    slope: float

    def probabilities(self, sums: Values, offsets: Values | float = 0.0) -> Values:
        """Return the probability of each, with an offset to the log odds where there is one."""
        probabilities: Values = expit(self.intercept + self.slope * sums + offsets)
        return probabilities


def fit_calibration(
    sums: Values, labels: NDArray[np.bool_], weights: Values, offsets: Values
) -> Calibration:
    """Fit the line by Newton's method.

    Args:
        sums: of leaves, (n,).
        labels: whether it was the right item, (n,).
        weights: how much each counts, (n,).
        offsets: what the log odds owe to something else, (n,).
    """
    rate = (float(weights @ labels) + _PRIOR) / (float(weights.sum()) + 2 * _PRIOR)
    centre = float(np.average(sums, weights=weights))
    line = np.array([np.log(rate / (1 - rate)) - float(np.mean(offsets)), 1.0])
    design = np.stack([np.ones(len(sums)), sums - centre])
    for _ in range(_STEPS):
        expected = expit(line @ design + offsets)
        slope_of_loss = design @ (weights * (expected - labels))
        slope_of_loss += _PRIOR * np.array([0.0, line[1] - 1])
        curvature = (design * (weights * expected * (1 - expected))) @ design.T
        curvature += _PRIOR * np.diag([1e-9, 1.0])
        step = np.linalg.solve(curvature, slope_of_loss)
        line = line - np.clip(step, -1, 1)
        if np.abs(step).max() < _SETTLED:
            break
    # A falling line would turn the order around.
    slope = float(np.clip(line[1], 1 / _STEEPEST, _STEEPEST))
    return Calibration(float(line[0]) - slope * centre, slope)


def calibration_error(
    probabilities: Values,
    labels: NDArray[np.bool_],
    weights: Values | None = None,
    bins: int = BINS,
) -> float:
    """Return the expected calibration error (Naeini et al., 2015), over bins of equal size.

    In each bin, the difference between the mean probability and the share that was right; their
    mean, by the bins' weights.
    """
    order = np.argsort(probabilities, kind="stable")
    each = np.ones(len(order)) if weights is None else weights
    gaps = [
        abs(float(each[part] @ (probabilities[part] - labels[part])))
        for part in np.array_split(order, bins)
        if len(part)
    ]
    return float(sum(gaps) / each.sum())
