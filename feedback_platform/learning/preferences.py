"""What candidate sources learn from: who likes which item how much, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from feedback_platform.errors import NothingToLearnError
from feedback_platform.learning.columns import (
    CONFIDENCE,
    FEEDBACK_SCORE,
    ITEM_ID,
    LAST_FEEDBACK_AT,
    USER_ID,
)
from feedback_platform.learning.ranking import PairMatrix, pair_matrix
from feedback_platform.learning.training_data import POSITIVE_THRESHOLD, checked_scores, positives

_ITEMS_TO_RANK = 2


@dataclass(frozen=True, eq=False)
class Sequences:
    """Positive feedback in its order; what was given in one instant is in the order of the items.

    Plain arrays, as a sparse matrix sorts its columns when it sees fit.

    Attributes:
        bounds: (users + 1,), where each user's entries begin, and where the last one's end.
        items: (entries,), columns of `Preferences.weights`.
        weights: (entries,), as there.
    """

    bounds: NDArray[np.int64]
    items: NDArray[np.int64]
    weights: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Preferences:
    """Positive feedback.

    Attributes:
        user_ids: users with positive feedback, sorted.
        item_ids: the catalogue, sorted.
        weights: (users x items), confidence x score of positive feedback, divided by its mean:
            whatever the confidences are, a parameter of a source keeps its meaning.
        instants: (entries of `weights`,), when the last feedback of each was given, in microseconds
            since 1970.
    """

    user_ids: tuple[str, ...]
    item_ids: tuple[str, ...]
    weights: PairMatrix
    instants: NDArray[np.int64]

    @cached_property
    def sequences(self) -> Sequences:
        """The entries of `weights` once more, each user's in the order of time."""
        each = np.diff(self.weights.indptr)
        order = np.lexsort((self.instants, np.repeat(np.arange(len(each)), each)))
        return Sequences(
            bounds=self.weights.indptr.astype(np.int64),
            items=self.weights.indices[order].astype(np.int64),
            weights=self.weights.data[order],
        )


def preferences(
    scores: pl.DataFrame,
    catalogue: Sequence[str] = (),
    *,
    threshold: float = POSITIVE_THRESHOLD,
) -> Preferences:
    """Return the positive scores as a matrix; the order of the rows makes no difference.

    Args:
        scores: user x item scores (`training_data.SCORES_SCHEMA`).
        catalogue: items to rank beside those that have a score.
        threshold: a score from here on is positive.

    Raises:
        InvalidInputError: the frame is malformed.
        NothingToLearnError: no score is positive with any confidence, or there is only one item.
    """
    scores = checked_scores(scores)
    weight = (pl.col(CONFIDENCE) * pl.col(FEEDBACK_SCORE)).alias("weight")
    liked = positives(scores, threshold).with_columns(weight).filter(pl.col("weight") > 0)
    item_ids = sorted({*catalogue, *scores[ITEM_ID]})
    if liked.is_empty() or len(item_ids) < _ITEMS_TO_RANK:
        raise NothingToLearnError(
            f"{liked.height} of {scores.height} scores are {threshold} or better with any "
            f"confidence, over {len(item_ids)} items; there is no preference to learn yet."
        )
    liked = liked.with_columns(pl.col("weight") / pl.col("weight").mean())
    user_ids = liked[USER_ID].unique().sort().to_list()
    return Preferences(
        tuple(user_ids),
        tuple(item_ids),
        pair_matrix(liked, user_ids, item_ids, values="weight"),
        # Checked scores are sorted by user and item, as the matrix's entries are.
        liked[LAST_FEEDBACK_AT].dt.epoch("us").to_numpy(),
    )
