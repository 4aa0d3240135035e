"""Which of a user's own likes speaks for a listed item: the one that is liked by the same people.

The measure is the cosine of two items' likers, |A ∩ B| / √(|A| |B|), for two items that A and B
like. It asks nothing of the model that made the list, so it holds whatever its sources are, and a
person can follow it.
"""

from __future__ import annotations

import numpy as np
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
    nearest = np.full_like(ranked, -1)
    likers = _unit_rows(likes)
    rows, places = np.nonzero(ranked >= 0)
    listed, of_item = np.unique(ranked[rows, places], return_inverse=True)
    order = np.argsort(of_item, kind="stable")
    ends = np.cumsum(np.bincount(of_item, minlength=len(listed)))
    for block in blocks(len(listed), likers.shape[0]):
        similarity = (likers[listed[block]] @ likers.T).toarray()
        first = 0 if block.start == 0 else int(ends[block.start - 1])
        last = int(ends[min(block.stop, len(listed)) - 1])
        for entry in order[first:last]:
            user = rows[entry]
            liked = own.indices[own.indptr[user] : own.indptr[user + 1]]
            shared = similarity[of_item[entry] - block.start, liked]
            best = int(shared.argmax()) if len(liked) else -1
            if best >= 0 and shared[best] > 0:
                nearest[user, places[entry]] = liked[best]
    return nearest


def _unit_rows(likes: PairMatrix) -> PairMatrix:
    """Return who likes each item, (items x people), as rows of length 1."""
    likers = sparse.csr_array(likes.astype(bool).astype(np.float32).T)
    counts = np.diff(likers.indptr)
    unit: PairMatrix = likers.copy()
    unit.data = np.repeat(1 / np.sqrt(np.maximum(counts, 1)), counts).astype(np.float32)
    return unit
