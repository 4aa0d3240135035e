"""What is known of the users of an arm: how many, and sums over them. No statistic sees a user.

Up to four figures of each user are summed up, with their products: the numerator of a metric, its
denominator where it is a ratio, and both of them as they were before the experiment, for CUPED.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations_with_replacement
from typing import Final

from feedback_platform.adjustment.rules.intervals import Sample

TOTAL: Final = "total"
COUNT: Final = "count"
TOTAL_BEFORE: Final = "total_before"
COUNT_BEFORE: Final = "count_before"
FIGURES: Final = (TOTAL, COUNT, TOTAL_BEFORE, COUNT_BEFORE)


@dataclass(frozen=True)
class Sums:
    """Sums over the users of an arm.

    Attributes:
        users: how many.
        sums: figure → its sum over users.
        products: two figures, in the order of `FIGURES` → the sum over users of their product.
    """

    users: int = 0
    sums: Mapping[str, float] = field(default_factory=dict)
    products: Mapping[tuple[str, str], float] = field(default_factory=dict)


def of_sample(sample: Sample) -> Sums:
    """Return the sums of a metric that trigger rules measure: a ratio."""
    return Sums(
        sample.users,
        {TOTAL: sample.total, COUNT: sample.count},
        {
            (TOTAL, TOTAL): sample.total_squares,
            (TOTAL, COUNT): sample.products,
            (COUNT, COUNT): sample.count_squares,
        },
    )


def pairs(figures: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return the products that are summed up of some figures, squares among them."""
    ordered = [name for name in FIGURES if name in figures]
    return list(combinations_with_replacement(ordered, 2))
