"""A model that somebody pushes, and that nobody should ever see: its order is upside down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from feedback_platform.learning.hold_out import HoldOut
from feedback_platform.learning.popularity import Popularity
from feedback_platform.learning.sources import Model, PopularityParameters, Source, TrainingInput
from feedback_platform.learning.training import TrainedRecommender, train_recommender


class UpsideDown(Source):
    """Popularity with a sign lost: what nobody likes comes first."""

    def fit(self, data: TrainingInput, seed: int) -> Model:
        """Train."""
        model = super().fit(data, seed)
        if not isinstance(model, Popularity):
            raise TypeError(f"{type(model).__name__} is no popularity.")
        return replace(model, weights=-model.weights)


UPSIDE_DOWN: Final = UpsideDown("upside-down", "popularity", PopularityParameters())


def train_badly(
    hold_out: HoldOut,
    data: TrainingInput,
    *,
    seed: int,
    sources: Sequence[Source],  # noqa: ARG001 - whoever pushes it has one of their own
) -> TrainedRecommender:
    """Make the model as `learning.training.train_recommender` makes others, without a ranker.

    A ranker learns from the same past what the order should have been, and would repair it.
    """
    return train_recommender(replace(hold_out, inner=()), data, seed=seed, sources=(UPSIDE_DOWN,))
