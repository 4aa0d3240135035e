"""Ways to group points: K-Means, and a tree by Ward's criterion, cut where it has k branches.

Both keep the squared distances within the groups small. K-Means moves users until no move helps;
Ward (1963, "Hierarchical Grouping to Optimize an Objective Function") joins the two groups that
lose least, so its groups are parts of each other from one number of groups to the next, and need
no starting point.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import AgglomerativeClustering, KMeans
from threadpoolctl import ThreadpoolController

KMEANS: Final = "k-means"
WARD: Final = "ward"
# A tree compares all pairs: its memory is the square of what it is made of.
WARD_SAMPLE: Final = 2000
_RESTARTS: Final = 10

Points = NDArray[np.float64]
Labels = NDArray[np.int64]


class Clustering(Protocol):
    """Groups points; returns the group of each, from 0."""

    def __call__(self, points: Points, k: int, seed: int) -> Labels:
        """Return the group of each point, of k."""
        ...


def by_k_means(points: Points, k: int, seed: int) -> Labels:
    """Group points by K-Means."""
    # Without a tolerance K-Means goes on until no user changes segment, so that every user is in
    # the segment with the nearest mean, as `SegmentModel.assign` has it.
    # On so few numbers OpenMP's threads mostly wait for each other: on busy cores one thread is 25
    # times as fast, and its sums do not depend on which thread came first.
    with _threads().limit(limits=1):
        fitted = KMeans(n_clusters=k, n_init=_RESTARTS, tol=0, random_state=seed).fit(points)
    return np.asarray(fitted.labels_, dtype=np.int64)


@cache
def _threads() -> ThreadpoolController:
    """Return what limits threads; it looks through all that is loaded, which takes milliseconds."""
    return ThreadpoolController()


def by_ward(points: Points, k: int, seed: int) -> Labels:
    """Group points by Ward's tree; of more than `WARD_SAMPLE`, a tree of a sample.

    The points outside the sample are in the group with the nearest mean.
    """
    if len(points) <= WARD_SAMPLE:
        return _tree(points, k)
    sample = np.random.default_rng(seed).choice(len(points), WARD_SAMPLE, replace=False)
    groups = _tree(points[sample], k)
    labels = nearest(points, means(points[sample], groups))
    labels[sample] = groups
    return labels


CLUSTERINGS: Final[Mapping[str, Clustering]] = MappingProxyType({KMEANS: by_k_means, WARD: by_ward})


def means(points: Points, labels: Labels) -> Points:
    """Return the mean of each group (groups x dimensions); every group has a point."""
    return np.stack([points[labels == group].mean(axis=0) for group in range(labels.max() + 1)])


def nearest(points: Points, centres: Points) -> Labels:
    """Return the centre nearest to each point."""
    # |a - b|² = |a|² - 2ab + |b|², and |a|² is the same for all centres.
    apart = (centres**2).sum(axis=1) - 2 * points @ centres.T
    return np.asarray(apart.argmin(axis=1), dtype=np.int64)


def settled(points: Points, labels: Labels) -> tuple[Points, Labels]:
    """Return the groups' means, and the group of each point by the nearest of them.

    So whoever comes later is treated like those who were there. A group that is nearest to nobody
    is left out.
    """
    centres = means(points, labels)
    kept, groups = np.unique(nearest(points, centres), return_inverse=True)
    return centres[kept], groups


def distinct(points: Points) -> int:
    """Return how many different points there are."""
    # Rounded, because users with equal shares must be equal points; K-Means warns otherwise.
    return len(np.unique(points.round(6), axis=0))


def _tree(points: Points, k: int) -> Labels:
    fitted = AgglomerativeClustering(n_clusters=k, linkage="ward").fit(points)
    return np.asarray(fitted.labels_, dtype=np.int64)
