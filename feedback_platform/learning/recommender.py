"""The model that recommends: an ensemble, a ranker over it, and what lists need beside them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.arrays import ArrayReader, pack
from feedback_platform.learning.ensemble import Ensemble
from feedback_platform.learning.popularity import Popularity
from feedback_platform.learning.ranker import Ranker
from feedback_platform.learning.ranking import Scorer, Scores, kept_rows


@dataclass(frozen=True, eq=False)
class Recommender:
    """Whom the model knows, and what everybody else is shown.

    Attributes:
        ensemble: scores the items for the users that it has met.
        popularity: of the same items, for all other users.
        user_ids: users with positive feedback in training, sorted.
        ranker: orders what the ensemble and its members find; None where their sum does.

    Raises:
        InvalidInputError: the parts do not fit together.
    """

    ensemble: Ensemble
    popularity: Popularity
    user_ids: tuple[str, ...]
    ranker: Ranker | None = None

    def __post_init__(self) -> None:
        if self.popularity.item_ids != self.ensemble.item_ids:
            raise InvalidInputError("The recommender's ensemble and popularity list other items.")
        if self.ranker is not None and self.ranker.sources != tuple(self.ensemble.sources):
            raise InvalidInputError(
                f"The recommender's ranker has learned from {', '.join(self.ranker.sources)}; the "
                f"ensemble has {', '.join(self.ensemble.sources)}."
            )

    @property
    def item_ids(self) -> tuple[str, ...]:
        """The items, in the order of the score matrix's columns."""
        return self.ensemble.item_ids

    @cached_property
    def known_users(self) -> frozenset[str]:
        """The users that the ensemble has met."""
        return frozenset(self.user_ids)

    def scores(self, user_ids: Sequence[str]) -> Scores:
        """Return the ensemble's score of every item for each user, (users x items).

        Scores order one user's items; they are no probabilities and do not compare across users.
        A user the model has not met gets the popularity. The ranker needs to know more than the
        user (`candidate_ranker`), and has no part in it.
        """
        return self.scores_by(self.ensemble, user_ids)

    def scores_by(self, scorer: Scorer, user_ids: Sequence[str]) -> Scores:
        """Return a scorer's scores for users the model has met, the popularity for others."""
        scores: Scores = np.array(self.popularity.scores(user_ids), dtype=np.float32)
        known = [row for row, user_id in enumerate(user_ids) if user_id in self.known_users]
        scores[known] = scorer.scores([user_ids[row] for row in known])
        return scores

    def without_users(self, user_ids: Collection[str]) -> Recommender:
        """Return the model as if it had never met some users; they get what is popular.

        What the items learned from them stays until the next training: no row of it is theirs.
        """
        return Recommender(
            self.ensemble.without_users(user_ids),
            self.popularity,
            tuple(self.user_ids[row] for row in kept_rows(self.user_ids, user_ids)),
            self.ranker,
        )

    def to_bytes(self) -> bytes:
        """Return all but the ranker (`ranker_file`) as a `.npz` archive without pickles."""
        arrays = {
            "ensemble": np.frombuffer(self.ensemble.to_bytes(), dtype=np.uint8),
            "popularity": np.frombuffer(self.popularity.to_bytes(), dtype=np.uint8),
        }
        return pack(arrays, {"user_ids": self.user_ids})

    @classmethod
    def from_bytes(cls, data: bytes) -> Recommender:
        """Return the model that `to_bytes` wrote, without a ranker.

        Raises:
            InvalidInputError: the bytes are damaged, or their parts do not fit together.
        """
        reader = ArrayReader(data, "recommender")
        return cls(
            Ensemble.from_bytes(reader.content("ensemble")),
            Popularity.from_bytes(reader.content("popularity")),
            reader.texts("user_ids"),
        )
