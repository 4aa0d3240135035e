"""Groups of users with similar tastes: K-Means over how each user's preference is shared out.

Shares are compositions: they sum to 1, and a difference between 0 and 2 % says more than one
between 40 and 42 %. Rows are therefore square-rooted first, which makes Euclidean distance the
Hellinger distance (Legendre and Gallagher, 2001).
"""

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

from feedback_platform.errors import InvalidInputError, NothingToLearnError
from feedback_platform.learning.arrays import ArrayReader, pack
from feedback_platform.learning.columns import AFFINITY, CATEGORY, SEGMENT_ID, USER_ID
from feedback_platform.learning.segment_names import segment_name
from feedback_platform.learning.segment_stability import prediction_strengths, strongest

KMEANS: Final = "k-means"
FEWEST_SEGMENTS: Final = 2
MOST_SEGMENTS: Final = 10
# The silhouette compares all pairs: beyond a sample its cost grows and its value hardly moves.
SILHOUETTE_SAMPLE: Final = 2000
_RESTARTS: Final = 10


@dataclass(frozen=True, eq=False)
class UserMatrix:
    """How each user's preference is shared out over categories.

    Attributes:
        user_ids: the users, sorted.
        categories: the categories, sorted.
        shares: (users x categories), at least 0; every row sums to 1.
    """

    user_ids: tuple[str, ...]
    categories: tuple[str, ...]
    shares: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SegmentModel:
    """The centres of the segments; assigns users who were not there at training, too.

    Attributes:
        categories: the categories, sorted.
        centres: (segments x categories), means of square-rooted shares; the row is the segment.
    """

    categories: tuple[str, ...]
    centres: NDArray[np.float32]

    def assign(self, matrix: UserMatrix) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return each user's nearest segment (users,) and the distance to its centre (users,).

        The distance is Euclidean between square-rooted shares, from 0 to √2. Categories that were
        unknown at training add the same to every distance of a user.
        """
        columns = {name: column for column, name in enumerate(self.categories)}
        points = np.zeros((len(matrix.user_ids), len(self.categories)))
        for own, category in enumerate(matrix.categories):
            if category in columns:
                points[:, columns[category]] = np.sqrt(matrix.shares[:, own])
        centres = self.centres.astype(np.float64)
        # |a - b|² = |a|² - 2ab + |b|², where every user's |a|² is the sum of the shares, 1.
        squared = np.maximum(1 - 2 * points @ centres.T + (centres**2).sum(axis=1), 0)
        nearest = squared.argmin(axis=1)
        return nearest, np.sqrt(np.take_along_axis(squared, nearest[:, None], axis=1)[:, 0])

    def to_bytes(self) -> bytes:
        """Return the model as a `.npz` archive without pickles."""
        return pack({"centres": self.centres}, {"categories": self.categories})

    @classmethod
    def from_bytes(cls, data: bytes) -> SegmentModel:
        """Return the model that `to_bytes` wrote.

        Raises:
            InvalidInputError: the bytes are damaged, or their parts do not fit together.
        """
        reader = ArrayReader(data, "segment model")
        categories, (segments, _) = reader.texts("categories"), reader.matrix_shape("centres")
        if not segments or not categories:
            raise InvalidInputError("The segment model has no segments or no categories.")
        return cls(categories, reader.floats("centres", (segments, len(categories))))


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Users in segments.

    Attributes:
        model: the centres.
        matrix: the users who were grouped.
        labels: (users,), the segment of each, from 0; a larger segment has a lower number.
        distances: (users,), to the segment's centre.
        names: the segments' readable names, distinct, by number.
        strengths: number of segments tried → prediction strength, from 0 to 1.
        silhouette: mean silhouette of the segments taken, from -1 to 1; None for a single one,
            where it has no meaning.
    """

    model: SegmentModel
    matrix: UserMatrix
    labels: NDArray[np.int64]
    distances: NDArray[np.float64]
    names: tuple[str, ...]
    strengths: Mapping[int, float]
    silhouette: float | None


def user_matrix(affinities: pl.DataFrame) -> UserMatrix:
    """Return the users' shares as a matrix; rows are scaled to sum to 1.

    Args:
        affinities: user_id, category, affinity (share of the user's feedback-weighted
            preference). Users without any positive affinity are left out.

    Raises:
        InvalidInputError: a column is missing, a share negative or not finite, or a pair twice.
        NothingToLearnError: nobody has an affinity.
    """
    missing = [c for c in (USER_ID, CATEGORY, AFFINITY) if c not in affinities.columns]
    if missing:
        raise InvalidInputError(f"The affinities frame has no column {', '.join(missing)}.")
    rows = affinities.select(USER_ID, CATEGORY, AFFINITY).drop_nulls()
    if rows.filter(~(pl.col(AFFINITY).is_finite() & (pl.col(AFFINITY) >= 0))).height:
        raise InvalidInputError("The affinities frame has shares that are negative or not finite.")
    if rows.select(USER_ID, CATEGORY).is_duplicated().any():
        raise InvalidInputError("The affinities frame has a user and category more than once.")
    rows = rows.filter(pl.col(AFFINITY) > 0).sort(USER_ID, CATEGORY)
    if rows.is_empty():
        raise NothingToLearnError("No user has an affinity to any category; nothing to segment.")
    users, categories = rows[USER_ID].unique().sort(), rows[CATEGORY].unique().sort()
    shares = np.zeros((len(users), len(categories)))
    row, column = users.search_sorted(rows[USER_ID]), categories.search_sorted(rows[CATEGORY])
    shares[row.to_numpy(), column.to_numpy()] = rows[AFFINITY].to_numpy()
    shares /= shares.sum(axis=1, keepdims=True)
    return UserMatrix(tuple(users), tuple(categories), shares)


def segment_users(affinities: pl.DataFrame, *, seed: int) -> Segmentation:
    """Group users by K-Means; as many groups, 2 to 10, as come back in another half of the users.

    The order of the rows makes no difference. Where everybody's shares are the same, or there are
    fewer than three different users, all are one segment.

    Args:
        affinities: user_id, category, affinity (share of the user's preference).
        seed: of the starting centres, of the halves and of the silhouette's sample.

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
    labels, names = _numbered(found, matrix)
    centres = np.stack([points[labels == label].mean(axis=0) for label in range(len(names))])
    return Segmentation(
        model=SegmentModel(matrix.categories, centres.astype(np.float32)),
        matrix=matrix,
        labels=labels,
        distances=np.linalg.norm(points - centres[labels], axis=1),
        names=names,
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
    labels: NDArray[np.int64], matrix: UserMatrix
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Number segments by size, then name, so that equal groups get equal numbers every time."""
    groups = range(int(labels.max()) + 1)
    average = matrix.shares.mean(axis=0)
    sizes = [int((labels == group).sum()) for group in groups]
    means = [matrix.shares[labels == group].mean(axis=0) for group in groups]
    plain = [segment_name(matrix.categories, mean, average) for mean in means]
    # Among equals in size and name, the first user decides.
    first = [int((labels == group).argmax()) for group in groups]
    order = sorted(groups, key=lambda group: (-sizes[group], plain[group], first[group]))
    names: list[str] = []
    for group in order:
        names.append(segment_name(matrix.categories, means[group], average, taken=names))
    number = {group: place for place, group in enumerate(order)}
    return np.array([number[int(label)] for label in labels], dtype=np.int64), tuple(names)
