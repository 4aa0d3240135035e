"""How stable segments are: would other users of the same kind have been grouped alike?

Users are drawn with replacement and grouped again, and each segment is compared with the most
similar new group, by the Jaccard index of the drawn users (Hennig, 2007, "Cluster-wise assessment
of cluster stability"). By his experience a segment below 0.6 is no finding, one from 0.75 on is a
pattern, one from 0.85 on is firm. The whole is compared by the adjusted Rand index (Hubert and
Arabie, 1985).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.cluster import contingency_matrix

from feedback_platform.learning.segment_clustering import Labels, Points, distinct
from feedback_platform.learning.segment_stability import SAMPLE, Cluster

RESAMPLES: Final = 25


@dataclass(frozen=True)
class Stability:
    """What stayed the same when other users were drawn, on average.

    Attributes:
        adjusted_rand: agreement of the whole: 1 for the same groups, about 0 for chance.
        segments: Jaccard index of each segment with its nearest in kind, from 0 to 1; None for one
            of which nobody was ever drawn.
    """

    adjusted_rand: float
    segments: tuple[float | None, ...]


def bootstrap_stability(
    points: Points, labels: Labels, cluster: Cluster, *, seed: int
) -> Stability | None:
    """Return how well groups come back; None for a single one, which always does.

    Args:
        points: (users x dimensions); of very many, no more than `SAMPLE` are drawn at a time.
        labels: (users,), the group of each, from 0.
        cluster: groups points into a number of groups.
        seed: of the draws.
    """
    k = int(labels.max()) + 1
    if k == 1:
        return None
    generator = np.random.default_rng(seed)
    size = min(len(points), SAMPLE)
    agreement = np.zeros(RESAMPLES)
    kept = np.full((RESAMPLES, k), np.nan)
    for resample in range(RESAMPLES):
        drawn = generator.integers(len(points), size=size)
        users, first = np.unique(drawn, return_index=True)
        is_there = np.unique(labels[users])
        if distinct(points[users]) < k:
            # There are not as many groups in it: whatever they were, they are dissolved.
            kept[resample, is_there] = 0
            continue
        again = cluster(points[drawn], k)[first]
        agreement[resample] = adjusted_rand_score(labels[users], again)
        kept[resample, is_there] = _jaccards(labels[users], again)
    return Stability(
        float(agreement.mean()),
        tuple(None if np.isnan(values).all() else float(np.nanmean(values)) for values in kept.T),
    )


def _jaccards(labels: Labels, again: Labels) -> Points:
    """Return the Jaccard index of each group that has users with the new one most like it."""
    shared = contingency_matrix(labels, again)
    either = shared.sum(axis=1, keepdims=True) + shared.sum(axis=0, keepdims=True) - shared
    return np.asarray((shared / either).max(axis=1), dtype=np.float64)
