"""A model's order of the items for each user, from the best on: what lists are cut from.

The lists that are published and those that a model is judged by go this way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.candidate_ranker import CandidateRanker, Probabilities
from feedback_platform.learning.ranker_features import OF_SOURCES, Features
from feedback_platform.learning.ranker_history import History
from feedback_platform.learning.ranking import (
    Ranked,
    Scorer,
    Scores,
    blocks,
    pair_matrix,
    top_items,
)
from feedback_platform.learning.recommender import Recommender


@dataclass(frozen=True, eq=False)
class PersonalOrder:
    """The best items of users the model has met.

    Attributes:
        items: (users x size), -1 where a user has fewer.
        values: (users x size), what the model says of each.
        said: (users x size x (sources + `OF_SOURCES`)), the ranker's features that depend on the
            sources alone; without a ranker none.
    """

    items: Ranked
    values: Scores | Probabilities
    said: Features


def personal_order(
    model: Recommender,
    known: History | None,
    scores: pl.DataFrame,
    users: Sequence[str],
    at: datetime | Mapping[str, datetime] | None,
    is_available: NDArray[np.bool_],
    size: int,
) -> PersonalOrder:
    """Return the best items of users the model has met.

    Args:
        model: what to rank by.
        known: what its ranker has to know; a model without one needs none.
        scores: who knows what, at that instant.
        users: whose lists to make.
        at: the instant of the ranker, for all users or for each.
        is_available: (items,), whether the item may be listed.
        size: how many; -1 stands where a user has fewer.

    Raises:
        InvalidInputError: a ranker lacks its history or its instant.
    """
    if model.ranker is None or not users:
        ranked, values = _ranked(model, scores, users, is_available, size)
        width = 0 if model.ranker is None else len(model.ranker.sources) + OF_SOURCES
        return PersonalOrder(ranked, values, np.zeros((*ranked.shape, width), dtype=np.float32))
    if known is None or at is None:
        raise InvalidInputError("A recommender with a ranker needs a history to make lists by.")
    ranker = CandidateRanker(model.ensemble.sources, model.ranker, known)
    seen = pair_matrix(scores, users, model.item_ids)
    instants = dict.fromkeys(users, at) if isinstance(at, datetime) else {u: at[u] for u in users}
    return PersonalOrder(*ranker.best_by_sources(instants, seen, size, is_listable=is_available))


def _ranked(
    model: Scorer,
    scores: pl.DataFrame,
    users: Sequence[str],
    is_available: NDArray[np.bool_],
    n: int,
) -> tuple[Ranked, Scores]:
    """Return the best items that the users do not know and their scores, both (users x n).

    Args:
        model: what to rank by.
        scores: who knows what.
        users: whose lists to make.
        is_available: (items,), whether the item may be listed.
        n: length of the lists.
    """
    ranked = np.empty((len(users), n), dtype=np.int64)
    values = np.empty((len(users), n), dtype=np.float32)
    for block in blocks(len(users), len(model.item_ids)):
        matrix: Scores = np.where(is_available, model.scores(users[block]), np.float32(-np.inf))
        ranked[block] = top_items(matrix, pair_matrix(scores, users[block], model.item_ids), n)
        values[block] = np.take_along_axis(matrix, np.maximum(ranked[block], 0), axis=1)
    return ranked, values


def popular_order(
    model: Recommender,
    scores: pl.DataFrame,
    users: Sequence[str],
    is_available: NDArray[np.bool_],
    n: int,
) -> tuple[Ranked, Scores]:
    """Return items and scores (users x n) of users the model has not met."""
    ranked, weights = _ranked(model.popularity, scores, users, is_available, n)
    # What nobody likes is not popular; these come last, so ranks stay without gaps.
    return np.where(weights > 0, ranked, -1), weights
