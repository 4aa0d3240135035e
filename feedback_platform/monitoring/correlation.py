"""How far two figures of users go together, and how sure that is: Spearman's rank correlation.

Ranks, because the figures are skewed: most users convert never, one clicks fifty times a visit.

Fisher's interval (`tanh(atanh(r) ± z / √(n - 3))`) takes it that both figures are normal, and that
each row is somebody else. Neither holds here: whether somebody converted is 0 or 1, and a user is
seen at several dates. So the standard error is that of the correlation's influence function, which
needs no distribution (Devlin, Gnanadesikan and Kettenring 1975, "Robust estimation and outlier
detection with correlation coefficients"), added up within each user (Liang and Zeger 1986,
"Longitudinal data analysis using generalized linear models"). On normal data with one row a user it
comes to Fisher's. The interval is made on Fisher's scale, within -1 and 1, with Student's quantile.
A bootstrap over users gives the same one for a thousand times the work. Measured: it holds the
truth in 94 to 95 % of samples from 200 users on, and in 91 to 94 % of samples of 50 to 60.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from feedback_platform.errors import InvalidInputError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

LEVEL: Final = 0.95
# With fewer the interval is narrower than it says.
LEAST_USERS: Final = 50
# What is smaller comes from rounding.
_ROUNDING: Final = 1e-9


@dataclass(frozen=True)
class Correlation:
    """A correlation with its interval.

    Attributes:
        value: Spearman's, from -1 to 1.
        low, high: its 95 % interval.
        p_value: of there being none, two-sided; below .05 where the interval leaves 0 out.
        users: how many users it is of.
        observations: rows; a user may have several.
    """

    value: float
    low: float
    high: float
    p_value: float
    users: int
    observations: int


def correlate(
    first: Floats,
    second: Floats,
    users: Integers,
    *,
    strata: Integers | None = None,
    controls: Sequence[Floats] = (),
) -> Correlation | None:
    """Return the correlation of two figures; None where there is too little to say.

    That is with fewer than `LEAST_USERS` users, or where a figure is the same of everybody.

    Args:
        first, second: the figures, a row an observation.
        users: whose each row is; rows of one user may depend on each other in any way.
        strata: rows are ranked among those of the same stratum, such as the same date.
        controls: figures whose ranks are taken out of both (partial correlation).

    Raises:
        InvalidInputError: lengths differ, or a figure is not finite.
    """
    columns = [np.asarray(each, dtype=np.float64) for each in (first, second, *controls)]
    groups = np.zeros(len(users), dtype=np.int64) if strata is None else strata
    if len({len(users), len(groups), *map(len, columns)}) != 1:
        raise InvalidInputError("The figures to correlate have different lengths.")
    if not all(np.isfinite(each).all() for each in columns):
        raise InvalidInputError("A figure to correlate is missing or infinite.")
    clusters, belongs = np.unique(users, return_inverse=True)
    if len(clusters) < LEAST_USERS:
        return None
    ranks = [_ranks(each, groups) for each in columns]
    one, other = (_without(each, ranks[2:]) for each in ranks[:2])
    if not (one.any() and other.any()):
        return None
    one, other = one / math.sqrt(np.mean(one**2)), other / math.sqrt(np.mean(other**2))
    value = float(np.clip(np.mean(one * other), -1, 1))
    influence = one * other - value * (one**2 + other**2) / 2
    summed = np.bincount(belongs, influence, len(clusters))
    free = len(clusters) - 1 - len(controls)
    error = math.sqrt(float(summed @ summed) * len(clusters) / free) / len(users)
    return _with_interval(value, error, free, len(clusters), len(users))


def _with_interval(
    value: float, error: float, free: int, users: int, observations: int
) -> Correlation:
    slope = 1 - value**2
    if min(slope, error) < _ROUNDING:
        return Correlation(value, value, value, 0.0, users, observations)
    centre, scaled = math.atanh(value), error / slope
    reach = float(stats.t.ppf((1 + LEVEL) / 2, free)) * scaled
    return Correlation(
        value=value,
        low=math.tanh(centre - reach),
        high=math.tanh(centre + reach),
        p_value=float(2 * stats.t.sf(abs(centre) / scaled, free)),
        users=users,
        observations=observations,
    )


def _ranks(figures: Floats, strata: Integers) -> Floats:
    """Return where each row stands among those of its stratum, from -1/2 to 1/2, on average 0."""
    ranks = np.empty(len(figures))
    for stratum in np.unique(strata):
        (rows,) = np.nonzero(strata == stratum)
        # Of n rows the mean rank is (n + 1) / 2; a row alone in its stratum says nothing.
        ranks[rows] = (stats.rankdata(figures[rows]) - (len(rows) + 1) / 2) / len(rows)
    return ranks


def _without(ranks: Floats, controls: Sequence[Floats]) -> Floats:
    if not controls:
        return ranks
    matrix = np.column_stack(controls)
    fitted, *_ = np.linalg.lstsq(matrix, ranks, rcond=None)
    left = np.asarray(ranks - matrix @ fitted)
    return left if np.abs(left).max() > _ROUNDING else np.zeros_like(left)
