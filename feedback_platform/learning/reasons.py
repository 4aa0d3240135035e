"""Which of a user's own likes speaks for a listed item: the one that is liked by the same people.

The measure is the cosine of two items' likers, |A ∩ B| / √(|A| |B|), for two items that A and B
like. It asks nothing of the model that made the list, so it holds whatever its sources are, and a
person can follow it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from feedback_platform.learning.ranking import PairMatrix, Ranked, blocks


def nearest_liked(ranked: Ranked, own: PairMatrix, likes: PairMatrix) -> Ranked:
    """Return for each listed item the user's own like that shares most likers with it.

    Of equally near ones it is the first. -1 where no like of the user shares any, and where nothing
    is listed. Only similarities of the listed items are computed, and few at a time.

    Args:
        ranked: (users x n), items' indexes.
        own: (users x items), non-zero where the user of a list likes the item.
        likes: (people x items), non-zero where anybody likes the item.
    """
    return nearest_likes(ranked, own, likes, 1)[0][:, :, 0].astype(ranked.dtype)


def nearest_likes(
    ranked: Ranked, own: PairMatrix, likes: PairMatrix, count: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return some of the user's likes that are nearest to each listed item, and their cosines.

    Args:
        ranked, own, likes: as those of `nearest_liked`.
        count: how many likes of each item; -1 and 0 stand where there are fewer.

    Returns:
        two arrays (users x n x count), the nearest like first.
    """
    nearest = np.full((*ranked.shape, count), -1, dtype=np.int32)
    cosines = np.zeros((*ranked.shape, count), dtype=np.float32)
    own.sort_indices()
    lengths = np.diff(own.indptr)
    rows, places = np.nonzero((ranked >= 0) & (lengths > 0)[:, None])
    likers = _unit_rows(likes)
    listed, of_item = np.unique(ranked[rows, places], return_inverse=True)
    order = np.argsort(of_item, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(of_item, minlength=len(listed)))])
    for block in blocks(len(listed), likers.shape[0]):
        similarity = (likers[listed[block]] @ likers.T).toarray()
        for item in range(block.start, min(block.stop, len(listed))):
            entries = order[starts[item] : starts[item + 1]]
            users = rows[entries]
            found = _nearest(similarity[item - block.start], own, users, lengths[users], count)
            nearest[users, places[entries]], cosines[users, places[entries]] = found
    return nearest, cosines


def _nearest(
    similarity: NDArray[np.float32],
    own: PairMatrix,
    users: NDArray[np.int64],
    lengths: NDArray[np.int32],
    count: int,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the nearest likes of users to one item, and their cosines, (users x count)."""
    starts = np.cumsum(lengths) - lengths
    of_user = np.repeat(np.arange(len(users)), lengths)
    within = np.arange(len(of_user)) - starts[of_user]
    liked = own.indices[own.indptr[users][of_user] + within]
    shared = similarity[liked]
    nearest = np.full((len(users), count), -1, dtype=np.int32)
    cosines = np.zeros((len(users), count), dtype=np.float32)
    for turn in range(count):
        best = np.maximum.reduceat(shared, starts)
        is_best = (shared == best[of_user]) & (shared > 0)
        # The first of equally near ones: what is written last stays.
        first = np.flatnonzero(is_best)[::-1]
        nearest[of_user[first], turn] = liked[first]
        cosines[of_user[first], turn] = shared[first]
        is_taken = liked == nearest[of_user, turn]
        shared[is_taken] = 0
    return nearest, cosines


def _unit_rows(likes: PairMatrix) -> PairMatrix:
    """Return who likes each item, (items x people), as rows of length 1."""
    likers = sparse.csr_array(likes.astype(bool).astype(np.float32).T)
    counts = np.diff(likers.indptr)
    unit: PairMatrix = likers.copy()
    unit.data = np.repeat(1 / np.sqrt(np.maximum(counts, 1)), counts).astype(np.float32)
    return unit
