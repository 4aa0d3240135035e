"""What everybody likes: the baseline of every model, and the list of users nobody knows yet."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.arrays import ArrayReader, pack
from feedback_platform.learning.columns import CONFIDENCE, ITEM_ID, LAST_FEEDBACK_AT
from feedback_platform.learning.ranking import Scores
from feedback_platform.learning.training_data import POSITIVE_THRESHOLD, positives


@dataclass(frozen=True, eq=False)
class Popularity:
    """How many people speak for each item, each counted by the confidence in their score.

    Attributes:
        item_ids: the items.
        weights: (items,), sum of confidence, decayed by age where that was asked for, over
            positive scores; 0 for an item nobody likes.
    """

    item_ids: tuple[str, ...]
    weights: NDArray[np.float32]

    def scores(self, user_ids: Sequence[str]) -> Scores:
        """Return the same weights for every user, (users x items)."""
        return np.broadcast_to(self.weights, (len(user_ids), len(self.item_ids)))

    def without_users(self, user_ids: Collection[str]) -> Popularity:  # noqa: ARG002 - as others
        """Return the model as it is: it knows items only."""
        return self

    def to_bytes(self) -> bytes:
        """Return the model as a `.npz` archive without pickles."""
        return pack({"weights": self.weights}, {"item_ids": self.item_ids})

    @classmethod
    def from_bytes(cls, data: bytes) -> Popularity:
        """Return the model that `to_bytes` wrote.

        Raises:
            InvalidInputError: the bytes are damaged, or their parts do not fit together.
        """
        reader = ArrayReader(data, "popularity")
        item_ids = reader.texts("item_ids")
        return cls(item_ids, reader.floats("weights", (len(item_ids),)))


def fit_popularity(
    scores: pl.DataFrame,
    *,
    item_ids: Sequence[str] | None = None,
    threshold: float = POSITIVE_THRESHOLD,
    half_life: timedelta | None = None,
) -> Popularity:
    """Count the positive scores of each item.

    Args:
        scores: a scores frame (`training_data.SCORES_SCHEMA`).
        item_ids: the items to count, in their order; every item in the scores when left out.
        threshold: a score from here on is positive.
        half_life: the age, before the newest feedback of the frame, at which a score counts half;
            all count alike when left out.

    Raises:
        InvalidInputError: the half-life is not above 0.
    """
    if half_life is not None and half_life <= timedelta(0):
        raise InvalidInputError(f"A half-life of popularity is above 0, not {half_life}.")
    listed = scores[ITEM_ID].unique().sort().to_list() if item_ids is None else list(item_ids)
    weight = pl.col(CONFIDENCE)
    if half_life is not None:
        age = (scores[LAST_FEEDBACK_AT].max() - pl.col(LAST_FEEDBACK_AT)) / half_life
        weight *= pl.lit(0.5) ** age
    # Sorted before summing: the last bit of a sum depends on the order of its terms.
    counted = (
        positives(scores, threshold).group_by(ITEM_ID).agg(weight.sort().sum().alias("weight"))
    )
    frame = pl.DataFrame({ITEM_ID: listed}, schema={ITEM_ID: pl.String}).join(
        counted, on=ITEM_ID, how="left", maintain_order="left"
    )
    weights = frame["weight"].fill_null(0).cast(pl.Float32).to_numpy()
    return Popularity(tuple(listed), weights)
