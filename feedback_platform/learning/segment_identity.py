"""Which of today's segments continue which of the previous ones, so that segment 3 stays segment 3.

Each of today's users was somewhere before: in the segment that the previous segmentation gave
them. Who was not there then counts for the segment whose centre is nearest, if they are no farther
from it than 95 % of its users were, else for none: strangers make no segment another.

The similarity of a previous and a new segment is the Jaccard index of the users who were in the
one and are in the other, as in the tracking of communities (Greene, Doyle and Cunningham, 2010,
"Tracking the Evolution of Communities in Dynamic Social Networks"). Pairs have to be more similar
than a third; of all ways to pair them, the one with the largest total is taken (Kuhn, 1955, "The
Hungarian Method for the Assignment Problem"). Above a third two segments share more than half of
their mean size: of a segment that falls into halves one goes on, of one that falls into equal
thirds none does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from feedback_platform.learning.columns import DISTANCE, SEGMENT_ID, USER_ID
from feedback_platform.learning.segment_model import SegmentModel
from feedback_platform.learning.user_matrix import UserMatrix

SAME_ABOVE: Final = 1 / 3
REACH: Final = 0.95
NOWHERE: Final = -1

Labels = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PreviousSegments:
    """The segmentation that a new one is to continue.

    Attributes:
        model: its centres and their numbers.
        names: number → name.
        assignments: user_id, segment_id, distance of the users who were grouped.
    """

    model: SegmentModel
    names: Mapping[int, str]
    assignments: pl.DataFrame

    def whereabouts(self, matrix: UserMatrix) -> Labels:
        """Return the number of the segment that each user counts for (users,), or `NOWHERE`."""
        nearest, distances = self.model.assign(matrix)
        newcomers = pl.DataFrame(
            {
                USER_ID: matrix.user_ids,
                "nearest": np.asarray(self.model.ids)[nearest],
                "away": distances,
            }
        )
        recorded = self.assignments.select(USER_ID, pl.col(SEGMENT_ID).cast(pl.Int64))
        reach = self.assignments.group_by(pl.col(SEGMENT_ID).cast(pl.Int64).alias("nearest")).agg(
            pl.col(DISTANCE).quantile(REACH, "higher").alias("reach")
        )
        is_near = pl.col("away") <= pl.col("reach")
        found = (
            newcomers.join(recorded, on=USER_ID, how="left", maintain_order="left")
            .join(reach, on="nearest", how="left", maintain_order="left")
            .select(
                pl.coalesce(SEGMENT_ID, pl.when(is_near).then("nearest"), pl.lit(NOWHERE)).cast(
                    pl.Int64
                )
            )
        )
        return found.to_series().to_numpy()


def continued(before: Labels, groups: Labels) -> dict[int, int]:
    """Return which groups continue which previous segments: group → number.

    How groups and segments are numbered makes no difference; among equals, those of the first
    users are preferred.

    Args:
        before: (users,), where each was, or `NOWHERE`.
        groups: (users,), where each is.
    """
    now, ids = _in_order_of_appearance(groups), _in_order_of_appearance(before)
    ids = ids[ids != NOWHERE]
    is_in, was_in = groups == now[:, None], before == ids[:, None]
    shared = is_in.astype(np.float64) @ was_in.T.astype(np.float64)
    either = is_in.sum(axis=1)[:, None] + was_in.sum(axis=1) - shared
    similarity = shared / either
    # Pairs that are out of the question must not push another one aside.
    worth = np.where(similarity > SAME_ABOVE, similarity, 0.0)
    rows, columns = linear_sum_assignment(worth, maximize=True)
    return {
        int(now[row]): int(ids[column])
        for row, column in zip(rows, columns, strict=True)
        if worth[row, column] > 0
    }


def _in_order_of_appearance(labels: Labels) -> Labels:
    values, first = np.unique(labels, return_index=True)
    return values[np.argsort(first)]
