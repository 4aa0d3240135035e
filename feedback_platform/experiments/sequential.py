"""The difference of two arms, read as often as anybody likes.

An asymptotic confidence sequence covers the truth at all times together (Waudby-Smith, Arbour,
Sinha, Kennedy, Ramdas 2021, "Time-uniform central limit theory and asymptotic confidence
sequences", arXiv 2103.06476, eq. 9). It holds for a mean over users, and for whatever behaves like
one in large samples: a difference of two arms with a steady split, a ratio by the delta method, a
mean adjusted by CUPED. The sequence has one parameter, which says where it is narrowest (eq. 161);
that has to be chosen before the data is seen.
"""

from __future__ import annotations

import math

from feedback_platform.experiments.effects import ANYTHING, Difference, Interval


def tuning(alpha: float, users: int) -> float:
    """Return the parameter rho by which the sequence is narrowest at so many users (eq. 161)."""
    doubt = -2 * math.log(alpha)
    return math.sqrt((doubt + math.log(doubt + 1)) / users)


def any_time(difference: Difference | None, alpha: float, tuned_for: int) -> Interval:
    """Return where an effect lies, whenever one looks, with an always-valid p-value.

    The p-value is the level at which the sequence, its parameter being what it is, would just
    leave out zero. So it is below alpha exactly when the interval does.

    Args:
        difference: of two arms; None is anything.
        alpha: how often the sequence misses the truth at any time at all.
        tuned_for: users of both arms together at which it is narrowest.
    """
    if difference is None:
        return ANYTHING
    rho = tuning(alpha, tuned_for)
    reach = difference.standard_error * breadth(difference.users, alpha, rho)
    information = difference.users * rho**2
    squared = (difference.effect / difference.standard_error) ** 2
    logarithm = math.log1p(information) / 2 - squared * information / (2 * (information + 1))
    return Interval(
        difference.effect - reach, difference.effect + reach, math.exp(min(logarithm, 0.0))
    )


def breadth(users: float, alpha: float, rho: float) -> float:
    """Return by how many standard errors the sequence reaches to each side (eq. 9)."""
    information = users * rho**2
    return math.sqrt(
        2 * (information + 1) / information * (math.log1p(information) / 2 - math.log(alpha))
    )
