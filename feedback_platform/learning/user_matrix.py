"""How each user's preference is shared out over categories, as a matrix.

Shares are compositions: they sum to 1, and a difference between 0 and 2 % says more than one
between 40 and 42 %. Points are therefore square-rooted shares, which makes Euclidean distance the
Hellinger distance (Legendre and Gallagher, 2001).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from feedback_platform.errors import InvalidInputError, NothingToLearnError
from feedback_platform.learning.columns import AFFINITY, CATEGORY, USER_ID


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
