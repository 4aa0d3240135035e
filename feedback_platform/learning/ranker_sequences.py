"""What people took next: how often an item came shortly after another, in one user's feedback.

Sources that see a history as a set cannot know that its end says more than its beginning. Here only
the user's last items speak, the newest loudest; a click of a moment ago counts at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from feedback_platform.learning.columns import ITEM_ID, LAST_FEEDBACK_AT, USER_ID
from feedback_platform.learning.ranking import PairMatrix, Scores, numbered

# How far apart two items of a user's feedback still belong together.
WINDOW: Final = 10
# How many of a user's last items speak, and what each earlier one weighs beside the next.
LAST: Final = 20
FADING: Final = 0.8
# What came before says less of what comes next than what came after.
_BACKWARDS: Final = 0.7
# Divided by powers of both items' counts: one half takes the average, less lets the popular win.
_FROM: Final = 0.5
_TO: Final = 0.3
_SHRINKAGE: Final = 5.0
# The newest feedback that is counted: each brings `WINDOW` pairs, and they have to fit in memory.
_MOST: Final = 1_000_000


@dataclass(frozen=True, eq=False)
class Sequences:
    """Weights between items, and each user's last items.

    Attributes:
        item_ids: the items.
        weights: (items x items), from an item to what comes shortly after or before it.
        last: user → indexes of the last items, the newest last.
    """

    item_ids: tuple[str, ...]
    weights: PairMatrix
    last: dict[str, NDArray[np.int64]]

    def scores(self, user_ids: Sequence[str]) -> Scores:
        """Return the score of every item for each user, (users x items); 0 for nobody known."""
        none = np.empty(0, dtype=np.int64)
        return np.stack([self.after(self.last.get(user_id, none)) for user_id in user_ids])

    def after(self, last: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the score of every item after some last items, (items,)."""
        scores = np.zeros(len(self.item_ids), dtype=np.float32)
        for place, item in enumerate(last[::-1][:LAST].tolist()):
            part = slice(self.weights.indptr[item], self.weights.indptr[item + 1])
            # A row has each column once.
            scores[self.weights.indices[part]] += self.weights.data[part] * np.float32(
                FADING**place
            )
        return scores

    def of(self, items: NDArray[np.int64], last: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return what `after` says of a few items, without a look at the others, (n,)."""
        scores = np.zeros(len(items), dtype=np.float32)
        # Of another width, every search would copy the row first.
        items = items.astype(self.weights.indices.dtype)
        for place, item in enumerate(last[::-1][:LAST].tolist()):
            part = slice(self.weights.indptr[item], self.weights.indptr[item + 1])
            near = self.weights.indices[part]
            if len(near):
                found = np.minimum(near.searchsorted(items), len(near) - 1)
                weights = self.weights.data[part][found] * np.float32(FADING**place)
                scores += np.where(near[found] == items, weights, np.float32(0))
        return scores


def fit_sequences(scores: pl.DataFrame, item_ids: Sequence[str]) -> Sequences:
    """Count which items stand near each other in the users' feedback, liked or not.

    Args:
        scores: user x item scores (`training_data.SCORES_SCHEMA`).
        item_ids: the items; feedback on others is left out.
    """
    known = scores.select(USER_ID, ITEM_ID, LAST_FEEDBACK_AT).join(
        numbered(ITEM_ID, item_ids, "item"), on=ITEM_ID
    )
    if known.height > _MOST:
        # Few are as new as the oldest of the newest: only those are sorted.
        oldest = known[LAST_FEEDBACK_AT].top_k(_MOST).min()
        known = known.filter(pl.col(LAST_FEEDBACK_AT) >= oldest)
    feedback = (
        known.sort(LAST_FEEDBACK_AT, USER_ID, ITEM_ID)
        .tail(_MOST)
        .sort(USER_ID, LAST_FEEDBACK_AT, ITEM_ID)
    )
    item, user = feedback["item"].to_numpy(), feedback[USER_ID].rle_id().to_numpy()
    size = len(item_ids)
    total = sparse.csr_array((size, size), dtype=np.float32)
    for apart in range(1, WINDOW + 1):
        is_own = user[apart:] == user[:-apart]
        before, after = item[:-apart][is_own], item[apart:][is_own]
        near = sparse.csr_array(
            (np.full(len(before), 1 / apart, dtype=np.float32), (before, after)),
            shape=(size, size),
        )
        total = total + near + np.float32(_BACKWARDS) * near.T
    counts = (np.bincount(item, minlength=size) + _SHRINKAGE).astype(np.float32)
    weights: PairMatrix = sparse.csr_array(
        sparse.diags_array(counts**-_FROM)
        @ sparse.csr_array(total)
        @ sparse.diags_array(counts**-_TO)
    )
    weights.sort_indices()
    last = feedback.group_by(USER_ID, maintain_order=True).agg(pl.col("item").tail(LAST))
    return Sequences(
        tuple(item_ids),
        weights,
        {user_id: np.array(items, dtype=np.int64) for user_id, items in last.iter_rows()},
    )
