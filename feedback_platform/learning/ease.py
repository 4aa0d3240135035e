"""EASE: a linear model in closed form (Steck, 2019, "Embarrassingly shallow autoencoders").

Each item's column of feedback is predicted from the other items' columns by ridge regression, all
at once: with P = (XᵀX + λI)⁻¹, the weight of item i for item j is -P[i, j] / P[j, j], and 0 for
itself. The same with rows for columns predicts each user's feedback from that of the others; the
two err differently, which is what an ensemble lives on.

The inverse is dense. Above `MAXIMUM_SIDE` rows it needs more memory than a training run has, so
a larger side is refused, and the ensemble goes without it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.arrays import ArrayReader, pack
from feedback_platform.learning.preferences import Preferences
from feedback_platform.learning.ranking import PairMatrix, Scores, kept_rows

# Its matrix takes half a gigabyte, and the inverse as much again.
MAXIMUM_SIDE: Final = 8_000


@dataclass(frozen=True)
class EaseParameters:
    """How to train.

    Attributes:
        regularisation: λ; the more, the less an entry of few users weighs.
    """

    regularisation: float = 600.0

    def __post_init__(self) -> None:
        if self.regularisation <= 0:
            raise InvalidInputError(f"EASE's regularisation cannot be {self.regularisation}.")


@dataclass(frozen=True, eq=False)
class LinearScores:
    """What a user's own history, times weights, says of every item.

    Attributes:
        user_ids: the users with a history.
        item_ids: the items.
        history: (users x items), sparse; the entries are square roots of weights.
        item_weights: (items x items), or (0 x 0) when users predict each other.
        user_weights: (users x users), or (0 x 0) when items predict each other.
    """

    user_ids: tuple[str, ...]
    item_ids: tuple[str, ...]
    history: PairMatrix
    item_weights: NDArray[np.float32]
    user_weights: NDArray[np.float32]

    @cached_property
    def user_rows(self) -> dict[str, int]:
        """Row of each user."""
        return {user_id: row for row, user_id in enumerate(self.user_ids)}

    @cached_property
    def _mean_history(self) -> NDArray[np.float32]:
        """The history of the mean user, (items,)."""
        return np.asarray(self.history.mean(axis=0), dtype=np.float32).ravel()

    def scores(self, user_ids: Sequence[str]) -> Scores:
        """Return the score of every item for each user, (users x items).

        A user the model has not met gets the mean user's history.
        """
        rows = np.array([self.user_rows.get(user_id, -1) for user_id in user_ids], dtype=np.int64)
        known = np.flatnonzero(rows >= 0)
        scores = np.empty((len(user_ids), len(self.item_ids)), dtype=np.float32)
        if self.item_weights.size:
            scores[:] = self._mean_history @ self.item_weights
            scores[known] = self.history[rows[known]] @ self.item_weights
        else:
            scores[:] = self._mean_history
            scores[known] = self.user_weights[rows[known]] @ self.history
        return scores

    def without_users(self, user_ids: Collection[str]) -> LinearScores:
        """Return the model without the history of some users, and what it said of others."""
        kept = kept_rows(self.user_ids, user_ids)
        weights = self.user_weights
        return LinearScores(
            tuple(self.user_ids[row] for row in kept),
            self.item_ids,
            self.history[kept],
            self.item_weights,
            weights if self.item_weights.size else np.ascontiguousarray(weights[kept][:, kept]),
        )

    def to_bytes(self) -> bytes:
        """Return the model as a `.npz` archive without pickles."""
        entries = self.history.tocoo()
        arrays: dict[str, NDArray[Any]] = {
            "history_rows": entries.row.astype(np.int64),
            "history_columns": entries.col.astype(np.int64),
            "history_values": entries.data.astype(np.float32),
            "item_weights": self.item_weights,
            "user_weights": self.user_weights,
        }
        return pack(arrays, {"user_ids": self.user_ids, "item_ids": self.item_ids})

    @classmethod
    def from_bytes(cls, data: bytes) -> LinearScores:
        """Return the model that `to_bytes` wrote.

        Raises:
            InvalidInputError: the bytes are damaged, or their parts do not fit together.
        """
        reader = ArrayReader(data, "linear model")
        user_ids, item_ids = reader.texts("user_ids"), reader.texts("item_ids")
        users, items = len(user_ids), len(item_ids)
        rows = reader.indexes("history_rows", users)
        columns = reader.indexes("history_columns", items)
        values = reader.floats("history_values", (len(rows),))
        if not users or not items or len(columns) != len(rows):
            raise InvalidInputError("The linear model has no users, no items or no history.")
        side = items if reader.matrix_shape("item_weights") != (0, 0) else 0
        return cls(
            user_ids=user_ids,
            item_ids=item_ids,
            history=sparse.csr_array((values, (rows, columns)), shape=(users, items)),
            item_weights=reader.floats("item_weights", (side, side)),
            user_weights=reader.floats("user_weights", (0, 0) if side else (users, users)),
        )


def fit_item_ease(preferences: Preferences, *, parameters: EaseParameters) -> LinearScores:
    """Predict items from items.

    Raises:
        InvalidInputError: there are more than `MAXIMUM_SIDE` items.
    """
    check_side(len(preferences.item_ids), "items")
    history = roots(preferences.weights)
    together = (history.T @ history).toarray().astype(np.float64)
    return linear_in_items(preferences, together, parameters.regularisation)


def fit_user_ease(preferences: Preferences, *, parameters: EaseParameters) -> LinearScores:
    """Predict users from users.

    Raises:
        InvalidInputError: there are more than `MAXIMUM_SIDE` users.
    """
    check_side(len(preferences.user_ids), "users")
    history = roots(preferences.weights)
    # Transposed: row u holds what predicts user u.
    together = (history @ history.T).toarray().astype(np.float64)
    weights = _closed_form(together, parameters.regularisation).T
    none = np.empty((0, 0), dtype=np.float32)
    return LinearScores(
        preferences.user_ids, preferences.item_ids, history, none, np.ascontiguousarray(weights)
    )


def linear_in_items(
    preferences: Preferences,
    together: NDArray[np.float64],
    regularisation: float,
) -> LinearScores:
    """Solve for the weights of items for items.

    Args:
        preferences: whose history is multiplied with the weights.
        together: (items x items), how much was liked together; the diagonal holds each item's own.
            It is overwritten: a copy would cost half a gigabyte where there are many.
        regularisation: λ.
    """
    # Column j holds what predicts item j.
    weights = _closed_form(together, regularisation)
    none = np.empty((0, 0), dtype=np.float32)
    history = roots(preferences.weights)
    return LinearScores(preferences.user_ids, preferences.item_ids, history, weights, none)


def _closed_form(system: NDArray[np.float64], regularisation: float) -> NDArray[np.float32]:
    """Return the weights; the system is overwritten."""
    system[np.diag_indices_from(system)] += regularisation
    inverse = np.linalg.inv(system)
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights.astype(np.float32)


def roots(weights: PairMatrix) -> PairMatrix:
    """Return the square roots, so that a product of two entries counts like one weight."""
    roots: PairMatrix = weights.sqrt()
    return roots


def check_side(size: int, what: str) -> None:
    """Refuse a side whose square does not fit into memory.

    Raises:
        InvalidInputError: it is larger than `MAXIMUM_SIDE`.
    """
    if size > MAXIMUM_SIDE:
        raise InvalidInputError(
            f"EASE over {size} {what} would need a dense matrix of that size squared; it takes up "
            f"to {MAXIMUM_SIDE}. Leave this source out."
        )
