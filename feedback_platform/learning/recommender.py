"""The model that recommends: an ensemble, and what lists need beside its scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.arrays import ArrayReader, pack
from feedback_platform.learning.ensemble import Ensemble
from feedback_platform.learning.popularity import Popularity
from feedback_platform.learning.ranking import Scores


@dataclass(frozen=True, eq=False)
class Recommender:
    """Whom the model knows, and what everybody else is shown.

    Attributes:
        ensemble: scores the items for the users that it has met.
        popularity: of the same items, for all other users.
        user_ids: users with positive feedback in training, sorted.
    """

    ensemble: Ensemble
    popularity: Popularity
    user_ids: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.popularity.item_ids != self.ensemble.item_ids:
            raise InvalidInputError("The recommender's ensemble and popularity list other items.")

    @property
    def item_ids(self) -> tuple[str, ...]:
        """The items, in the order of the score matrix's columns."""
        return self.ensemble.item_ids

    @cached_property
    def known_users(self) -> frozenset[str]:
        """The users that the ensemble has met."""
        return frozenset(self.user_ids)

    def scores(self, user_ids: Sequence[str]) -> Scores:
        """Return the score of every item for each user, (users x items).

        Scores order one user's items; they are no probabilities and do not compare across users.
        A user the model has not met gets the popularity.
        """
        scores: Scores = np.array(self.popularity.scores(user_ids), dtype=np.float32)
        known = [row for row, user_id in enumerate(user_ids) if user_id in self.known_users]
        scores[known] = self.ensemble.scores([user_ids[row] for row in known])
        return scores

    def to_bytes(self) -> bytes:
        """Return the model as a `.npz` archive without pickles."""
        arrays = {
            "ensemble": np.frombuffer(self.ensemble.to_bytes(), dtype=np.uint8),
            "popularity": np.frombuffer(self.popularity.to_bytes(), dtype=np.uint8),
        }
        return pack(arrays, {"user_ids": self.user_ids})

    @classmethod
    def from_bytes(cls, data: bytes) -> Recommender:
        """Return the model that `to_bytes` wrote.

        Raises:
            InvalidInputError: the bytes are damaged, or their parts do not fit together.
        """
        reader = ArrayReader(data, "recommender")
        return cls(
            Ensemble.from_bytes(reader.content("ensemble")),
            Popularity.from_bytes(reader.content("popularity")),
            reader.texts("user_ids"),
        )
