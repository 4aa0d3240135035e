"""Whether enough has happened in two arms for their means to be as normal as intervals take them.

A mean that rests on a few users who did anything is not, however many did nothing: where one in a
hundred converts, an arm of a hundred users often has none, and looks surely worse. So what counts
is how many users of equal weight would make up the total (Kish 1965, "Survey Sampling", 11.7): of a
share those who did it, of a mean fewer, the more unequal users are. It is what the smaller arm has
to expect if both are alike, so that a variant in which nobody does anything is found all the same.
"""

from __future__ import annotations

from typing import Final

from feedback_platform.experiments.metrics import Kind, Metric
from feedback_platform.experiments.sums import COUNT, TOTAL, Sums

# benchmarks/experiments_aa.py shows what becomes of fewer.
SMALLEST: Final = 20.0


def support(control: Sums, treatment: Sums, metric: Metric) -> float:
    """Return how many users of equal weight the smaller arm has to expect behind its mean."""
    arms = control, treatment
    fewest = min(arm.users for arm in arms)
    if fewest == 0:
        return 0.0
    if metric.low < 0:
        # Its total may be nothing although everybody has a part in it.
        return float(fewest)
    everybody = sum(arm.users for arm in arms)
    total = sum(arm.sums[TOTAL] for arm in arms)
    squares = sum(arm.products[TOTAL, TOTAL] for arm in arms)
    weights = [_weight(total, squares)]
    if metric.high == 1:
        # Of what nearly everybody does, those count who do not.
        count, crossed, counts = (
            _of_ratio(arms) if metric.kind is Kind.RATIO else (everybody, total, everybody)
        )
        weights.append(_weight(count - total, counts - 2 * crossed + squares))
    return fewest / everybody * min(weights)


def _weight(total: float, squares: float) -> float:
    """Return how many users of equal weight make up a total."""
    return total**2 / squares if squares > 0 else 0.0


def _of_ratio(arms: tuple[Sums, Sums]) -> tuple[float, float, float]:
    """Return the sum of the denominator, of its product with the numerator, and of its square."""
    return (
        sum(arm.sums[COUNT] for arm in arms),
        sum(arm.products[TOTAL, COUNT] for arm in arms),
        sum(arm.products[COUNT, COUNT] for arm in arms),
    )
