"""Groups of users with similar tastes: K-Means over how each user's preference is shared out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score
from threadpoolctl import threadpool_limits

from feedback_platform.learning.columns import SEGMENT_ID, USER_ID
from feedback_platform.learning.segment_identity import PreviousSegments, continued
from feedback_platform.learning.segment_model import SegmentModel
from feedback_platform.learning.segment_names import segment_name, still_fits
from feedback_platform.learning.segment_stability import prediction_strengths, strongest
from feedback_platform.learning.user_matrix import UserMatrix, user_matrix

KMEANS: Final = "k-means"
FEWEST_SEGMENTS: Final = 2
MOST_SEGMENTS: Final = 10
# The silhouette compares all pairs: beyond a sample its cost grows and its value hardly moves.
SILHOUETTE_SAMPLE: Final = 2000
_RESTARTS: Final = 10


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Users in segments.

    Attributes:
        model: the centres and the segments' numbers; a row is a segment.
        matrix: the users who were grouped.
        labels: (users,), the row of each user's segment.
        distances: (users,), to the segment's centre.
        names: the segments' readable names, distinct, by row.
        continues: numbers of the previous segments that go on in this segmentation.
        strengths: number of segments tried → prediction strength, from 0 to 1.
        silhouette: mean silhouette of the segments taken, from -1 to 1; None for a single one,
            where it has no meaning.
    """

    model: SegmentModel
    matrix: UserMatrix
    labels: NDArray[np.int64]
    distances: NDArray[np.float64]
    names: tuple[str, ...]
    continues: frozenset[int]
    strengths: Mapping[int, float]
    silhouette: float | None


def segment_users(
    affinities: pl.DataFrame,
    *,
    seed: int,
    previous: PreviousSegments | None = None,
    first_free: int = 0,
) -> Segmentation:
    """Group users by K-Means; as many groups, 2 to 10, as come back in another half of the users.

    A group that continues a previous segment has its number. The others are numbered by falling
    size, with numbers that were never used. The order of the rows makes no difference. Where
    everybody's shares are the same, or there are fewer than three different users, all are one
    segment.

    Args:
        affinities: user_id, category, affinity (share of the user's preference).
        seed: of the starting centres, of the halves and of the silhouette's sample.
        previous: the segmentation in use.
        first_free: from here on no number was ever used; the previous model may know better.

    Raises:
        InvalidInputError: the frame is malformed.
        NothingToLearnError: nobody has an affinity.
    """
    matrix = user_matrix(affinities)
    points = np.sqrt(matrix.shares)
    # Rounded, because users with equal shares must be equal points; K-Means warns otherwise.
    distinct = len(np.unique(points.round(6), axis=0))
    tried = range(FEWEST_SEGMENTS, min(MOST_SEGMENTS, distinct - 1) + 1)
    strengths = prediction_strengths(
        points, tried, lambda half, k: _cluster(half, k, seed), seed=seed
    )
    best = strongest(strengths)
    found = _cluster(points, best, seed) if best else np.zeros(len(points), dtype=np.int64)
    numbers, next_id = _numbered(found, matrix, previous, first_free)
    ids, labels = np.unique(numbers, return_inverse=True)
    centres = np.stack([points[labels == row].mean(axis=0) for row in range(len(ids))])
    return Segmentation(
        model=SegmentModel(
            matrix.categories, centres.astype(np.float32), tuple(ids.tolist()), next_id
        ),
        matrix=matrix,
        labels=labels,
        distances=np.linalg.norm(points - centres[labels], axis=1),
        names=_names(labels, ids, matrix, previous),
        continues=frozenset(ids.tolist()) & frozenset(previous.names if previous else ()),
        strengths=strengths,
        silhouette=_silhouette(points, found, seed) if best else None,
    )


def adjusted_rand_index(assignments: pl.DataFrame, truth: pl.DataFrame) -> float:
    """Return the agreement of two groupings over the users in both (Hubert and Arabie, 1985).

    Args:
        assignments: user_id, segment_id.
        truth: user_id, segment_id (of any type).

    Returns:
        1 for the same groups under whatever names, about 0 for chance.
    """
    both = assignments.select(USER_ID, SEGMENT_ID).join(
        truth.select(USER_ID, pl.col(SEGMENT_ID).alias("truth")), on=USER_ID
    )
    return float(adjusted_rand_score(both["truth"].to_numpy(), both[SEGMENT_ID].to_numpy()))


def _cluster(points: NDArray[np.float64], k: int, seed: int) -> NDArray[np.int64]:
    # Without a tolerance K-Means goes on until no user changes segment, so that every user is in
    # the segment with the nearest mean, as `SegmentModel.assign` has it.
    # On so few numbers OpenMP's threads mostly wait for each other: on busy cores one thread is 25
    # times as fast, and its sums do not depend on which thread came first.
    with threadpool_limits(1):
        fitted = KMeans(n_clusters=k, n_init=_RESTARTS, tol=0, random_state=seed).fit(points)
    return np.asarray(fitted.labels_, dtype=np.int64)


def _silhouette(points: NDArray[np.float64], labels: NDArray[np.int64], seed: int) -> float:
    if len(points) > SILHOUETTE_SAMPLE:
        sample = np.random.default_rng(seed).choice(len(points), SILHOUETTE_SAMPLE, replace=False)
        if len(np.unique(labels[sample])) > 1:
            points, labels = points[sample], labels[sample]
    return float(silhouette_score(points, labels))


def _numbered(
    groups: NDArray[np.int64],
    matrix: UserMatrix,
    previous: PreviousSegments | None,
    first_free: int,
) -> tuple[NDArray[np.int64], int]:
    """Return the number of each user's segment (users,), and the next free number.

    New segments are numbered by size, then name, so that equal groups get equal numbers every
    time; among equals in both, the first user decides.
    """
    average = matrix.shares.mean(axis=0)
    kept = continued(previous.whereabouts(matrix), groups) if previous else {}
    free = max(first_free, previous.model.next_id if previous else 0)

    def rank(group: int) -> tuple[int, str, int]:
        is_in = groups == group
        name = segment_name(matrix.categories, matrix.shares[is_in].mean(axis=0), average)
        return -int(is_in.sum()), name, int(is_in.argmax())

    new = sorted((group for group in np.unique(groups).tolist() if group not in kept), key=rank)
    number = kept | {group: free + place for place, group in enumerate(new)}
    return np.array([number[group] for group in groups.tolist()], np.int64), free + len(new)


def _names(
    labels: NDArray[np.int64],
    ids: NDArray[np.int64],
    matrix: UserMatrix,
    previous: PreviousSegments | None,
) -> tuple[str, ...]:
    """Return the segments' names; who is still like before is still called as before."""
    categories, average = matrix.categories, matrix.shares.mean(axis=0)
    means = [matrix.shares[labels == row].mean(axis=0) for row in range(len(ids))]
    before = previous.names if previous else {}
    names = {
        row: before[number]
        for row, number in enumerate(ids.tolist())
        if number in before and still_fits(before[number], categories, means[row], average)
    }
    for row, mean in enumerate(means):
        if row not in names:
            names[row] = segment_name(categories, mean, average, taken=tuple(names.values()))
    return tuple(names[row] for row in range(len(ids)))
