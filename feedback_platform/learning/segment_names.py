"""Readable names for segments, from what their users prefer more than everybody does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# A category names a segment when its users give it at least this many times the average share.
_MINIMUM_LIFT = 1.1
# A second category joins the name when it marks the segment at least half as much as the first.
_JOINS_AT = 0.5


def segment_name(
    categories: Sequence[str],
    shares: NDArray[np.float64],
    average: NDArray[np.float64],
    *,
    taken: Sequence[str] = (),
) -> str:
    """Return a readable name from the categories that mark a segment, such as `Reports & Alerts`.

    A category marks a segment by share · ln(share / average), its part of the Kullback-Leibler
    divergence: a high lift on a negligible share does not make a name.

    Args:
        categories: names of the categories.
        shares: (categories,), the segment's mean shares.
        average: (categories,), everybody's mean shares.
        taken: names of other segments; further categories, then a number, keep this one apart.
    """
    lift = lifts(shares, average)
    weight = shares * np.log(np.maximum(lift, 1e-12))
    order = [int(c) for c in np.lexsort((np.arange(len(shares)), -weight))]
    marking = [c for c in order if lift[c] >= _MINIMUM_LIFT]
    if not marking:
        candidates = ["Mixed interests"]
    else:
        is_pair = len(marking) > 1 and weight[marking[1]] >= _JOINS_AT * weight[marking[0]]
        shortest = 2 if is_pair else 1
        candidates = [
            " & ".join(_title(categories[c]) for c in marking[:length])
            for length in range(shortest, len(marking) + 1)
        ]
    free = [name for name in candidates if name not in taken]
    if free:
        return free[0]
    number = 2
    while f"{candidates[0]} {number}" in taken:
        number += 1
    return f"{candidates[0]} {number}"


def lifts(shares: NDArray[np.float64], average: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return shares over average shares; 0 where nobody has any."""
    return np.divide(shares, average, out=np.zeros_like(shares), where=average > 0)


def _title(category: str) -> str:
    words = category.replace("_", " ").strip()
    return words[:1].upper() + words[1:]
