"""How many segments there are: as many as can be found again in another half of the users.

Prediction strength (Tibshirani and Walther, 2005, "Cluster Validation by Prediction Strength"): two
halves of the users are grouped; of the pairs that a group of the second half holds, how many do the
centres of the first half keep together? The worst group decides. It is 1 for groups that come back
whole and falls as soon as one is split at random. The silhouette, in comparison, takes users with
mixed tastes for badly grouped ones and merges them away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import numpy as np

from feedback_platform.learning.segment_clustering import Labels, Points, distinct, means, nearest

# The authors' advice: 0.8 to 0.9 for groups that are well apart.
STRONG: Final = 0.8
SPLITS: Final = 5

# Of more users the halves are drawn: groups of use are found among so many, and time is bounded.
SAMPLE: Final = 10_000

Cluster = Callable[[Points, int], Labels]


def prediction_strengths(
    points: Points, tried: Iterable[int], cluster: Cluster, *, seed: int
) -> dict[int, float]:
    """Return the prediction strength of each number of groups, mean over random halves.

    Args:
        points: (users x dimensions).
        tried: numbers of groups; one that a half cannot hold is left out.
        cluster: groups points into a number of groups.
        seed: of the halves.
    """
    generator = np.random.default_rng(seed)
    drawn = min(len(points), SAMPLE)
    halves = [
        np.split(generator.permutation(len(points))[:drawn], [drawn // 2]) for _ in range(SPLITS)
    ]
    strengths = {}
    for k in tried:
        values = [
            _strength(points[first], points[second], k, cluster)
            for first, second in halves
            if _can_hold(points[first], k) and _can_hold(points[second], k)
        ]
        if values:
            strengths[k] = float(np.mean(values))
    return strengths


def strongest(strengths: dict[int, float]) -> int | None:
    """Return the largest number of groups that is strong, else the strongest; None without any."""
    strong = [k for k, strength in strengths.items() if strength >= STRONG]
    if strong:
        return max(strong)
    return max(strengths, key=lambda k: (strengths[k], -k), default=None)


def _strength(first: Points, second: Points, k: int, cluster: Cluster) -> float:
    known, found = cluster(first, k), cluster(second, k)
    predicted = nearest(second, means(first, known))
    kept = []
    for group in range(k):
        counts = np.bincount(predicted[found == group], minlength=k)
        size = int(counts.sum())
        # A single user has no pair that could be kept: such a group says nothing for itself.
        kept.append((counts * (counts - 1)).sum() / (size * (size - 1)) if size > 1 else 0.0)
    return float(min(kept))


def _can_hold(points: Points, k: int) -> bool:
    return distinct(points) > k
