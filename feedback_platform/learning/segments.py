"""Groups of users with similar tastes, by how each user's preference is shared out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score, silhouette_score

from feedback_platform.learning.columns import SEGMENT_ID, USER_ID
from feedback_platform.learning.segment_bootstrap import Stability, bootstrap_stability
from feedback_platform.learning.segment_clustering import (
    CLUSTERINGS,
    KMEANS,
    Points,
    distinct,
    settled,
)
from feedback_platform.learning.segment_identity import PreviousSegments, continued
from feedback_platform.learning.segment_model import SegmentModel
from feedback_platform.learning.segment_names import segment_name, still_fits
from feedback_platform.learning.segment_stability import STRONG, prediction_strengths, strongest
from feedback_platform.learning.user_matrix import UserMatrix, user_matrix

STRONGEST: Final = "strongest"
FEWEST_SEGMENTS: Final = 2
MOST_SEGMENTS: Final = 10
# The silhouette compares all pairs: beyond a sample its cost grows and its value hardly moves.
SILHOUETTE_SAMPLE: Final = 2000


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Users in segments.

    Attributes:
        algorithm: what grouped them, `k-means` or `ward`.
        model: the centres and the segments' numbers; a row is a segment.
        matrix: the users who were grouped.
        labels: (users,), the row of each user's segment.
        distances: (users,), to the segment's centre.
        names: the segments' readable names, distinct, by row.
        continues: numbers of the previous segments that go on in this segmentation.
        strengths: number of segments tried → prediction strength, from 0 to 1.
        silhouette: mean silhouette of the segments taken, from -1 to 1; None for a single one,
            where it has no meaning.
        stability: how well the segments come back, by row; None for a single one.
    """

    algorithm: str
    model: SegmentModel
    matrix: UserMatrix
    labels: NDArray[np.int64]
    distances: NDArray[np.float64]
    names: tuple[str, ...]
    continues: frozenset[int]
    strengths: Mapping[int, float]
    silhouette: float | None
    stability: Stability | None


@dataclass(frozen=True)
class _Choice:
    """An algorithm, into how many segments it groups (None: one), and the strengths it had."""

    algorithm: str
    segments: int | None
    strengths: Mapping[int, float]

    @property
    def merit(self) -> tuple[int, float]:
        strength = self.strengths.get(self.segments or 0, 0.0)
        return (self.segments or 0) if strength >= STRONG else 0, strength


def segment_users(
    affinities: pl.DataFrame,
    *,
    seed: int,
    algorithm: str = KMEANS,
    previous: PreviousSegments | None = None,
    first_free: int = 0,
) -> Segmentation:
    """Group users; as many groups, 2 to 10, as come back in another half of the users.

    A group that continues a previous segment has its number. The others are numbered by falling
    size, with numbers that were never used. The order of the rows makes no difference. Where
    everybody's shares are the same, or there are fewer than three different users, all are one
    segment.

    Args:
        affinities: user_id, category, affinity (share of the user's preference).
        seed: of starting centres, halves and samples.
        algorithm: `k-means`, `ward`, or `strongest`: that with more groups which come back, of
            equals the one that comes back more surely, of equals K-Means.
        previous: the segmentation in use.
        first_free: from here on no number was ever used; the previous model may know better.

    Raises:
        InvalidInputError: the frame is malformed.
        NothingToLearnError: nobody has an affinity.
    """
    matrix = user_matrix(affinities)
    points = np.sqrt(matrix.shares)
    choice = _strongest(points, algorithm, seed)
    found = np.zeros(len(points), dtype=np.int64)
    if choice.segments:
        found = CLUSTERINGS[choice.algorithm](points, choice.segments, seed)
    centres, groups = settled(points, found)
    numbers, next_id = _numbers(groups, matrix, previous, first_free)
    rows = np.argsort(numbers)
    centres, ids, labels = centres[rows], numbers[rows], np.argsort(rows)[groups]
    return Segmentation(
        model=SegmentModel(
            matrix.categories, centres.astype(np.float32), tuple(ids.tolist()), next_id
        ),
        algorithm=choice.algorithm,
        matrix=matrix,
        labels=labels,
        distances=np.linalg.norm(points - centres[labels], axis=1),
        names=_names(labels, ids, matrix, previous),
        continues=frozenset(ids.tolist()) & frozenset(previous.names if previous else ()),
        strengths=choice.strengths,
        silhouette=_silhouette(points, labels, seed) if len(ids) > 1 else None,
        stability=bootstrap_stability(
            points, labels, partial(CLUSTERINGS[choice.algorithm], seed=seed), seed=seed
        ),
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


def _silhouette(points: NDArray[np.float64], labels: NDArray[np.int64], seed: int) -> float:
    if len(points) > SILHOUETTE_SAMPLE:
        sample = np.random.default_rng(seed).choice(len(points), SILHOUETTE_SAMPLE, replace=False)
        if len(np.unique(labels[sample])) > 1:
            points, labels = points[sample], labels[sample]
    return float(silhouette_score(points, labels))


def _strongest(points: Points, algorithm: str, seed: int) -> _Choice:
    """Return the number of groups that one algorithm finds again, or that of the stronger one."""
    tried = range(FEWEST_SEGMENTS, min(MOST_SEGMENTS, distinct(points) - 1) + 1)
    choices = []
    for name in CLUSTERINGS if algorithm == STRONGEST else (algorithm,):
        group = partial(CLUSTERINGS[name], seed=seed)
        strengths = prediction_strengths(points, tried, group, seed=seed)
        choices.append(_Choice(name, strongest(strengths), strengths))
    return max(choices, key=lambda choice: choice.merit)


def _numbers(
    groups: NDArray[np.int64],
    matrix: UserMatrix,
    previous: PreviousSegments | None,
    first_free: int,
) -> tuple[NDArray[np.int64], int]:
    """Return the number of each group (groups,), and the next free number.

    New segments are numbered by size, then name, so that equal groups get equal numbers every
    time; among equals in both, the first user decides.
    """
    average = matrix.shares.mean(axis=0)
    number = continued(previous.whereabouts(matrix), groups) if previous else {}
    free = max(first_free, previous.model.next_id if previous else 0)

    def rank(group: int) -> tuple[int, str, int]:
        is_in = groups == group
        name = segment_name(matrix.categories, matrix.shares[is_in].mean(axis=0), average)
        return -int(is_in.sum()), name, int(is_in.argmax())

    count = int(groups.max()) + 1
    new = sorted((group for group in range(count) if group not in number), key=rank)
    number |= {group: free + place for place, group in enumerate(new)}
    return np.array([number[group] for group in range(count)], np.int64), free + len(new)


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
