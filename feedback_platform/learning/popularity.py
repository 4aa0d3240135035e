"""What everybody likes: the baseline of every model, and the list of users nobody knows yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from feedback_platform.learning.columns import CONFIDENCE, ITEM_ID
from feedback_platform.learning.ranking import Scores
from feedback_platform.learning.training_data import POSITIVE_THRESHOLD, positives


@dataclass(frozen=True, eq=False)
class Popularity:
    """How many people speak for each item, each counted by the confidence in their score.

    Attributes:
        item_ids: the items.
        weights: (items,), sum of confidence over positive scores; 0 for an item nobody likes.
    """

    item_ids: tuple[str, ...]
    weights: NDArray[np.float32]

    def scores(self, user_ids: Sequence[str]) -> Scores:
        """Return the same weights for every user, (users x items)."""
        return np.broadcast_to(self.weights, (len(user_ids), len(self.item_ids)))


def fit_popularity(
    scores: pl.DataFrame,
    *,
    item_ids: Sequence[str] | None = None,
    threshold: float = POSITIVE_THRESHOLD,
) -> Popularity:
    """Count the positive scores of each item.

    Args:
        scores: a scores frame (`training_data.SCORES_SCHEMA`).
        item_ids: the items to count, in their order; every item in the scores when left out.
        threshold: a score from here on is positive.
    """
    listed = scores[ITEM_ID].unique().sort().to_list() if item_ids is None else list(item_ids)
    # Sorted before summing: the last bit of a sum depends on the order of its terms.
    counted = (
        positives(scores, threshold)
        .group_by(ITEM_ID)
        .agg(pl.col(CONFIDENCE).sort().sum().alias("weight"))
    )
    frame = pl.DataFrame({ITEM_ID: listed}, schema={ITEM_ID: pl.String}).join(
        counted, on=ITEM_ID, how="left", maintain_order="left"
    )
    weights = frame["weight"].fill_null(0).cast(pl.Float32).to_numpy()
    return Popularity(tuple(listed), weights)
