"""Ranked lists: from a scorer's matrix to the best unseen items of each user."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from feedback_platform.learning.columns import ITEM_ID, USER_ID

Scores = NDArray[np.float32]
Ranked = NDArray[np.int64]
PairMatrix = sparse.csr_array[Any, tuple[int, int]]

# A block's scores and sort keys stay below 200 MB however many users and items there are.
_BLOCK_CELLS = 4_000_000


class Scorer(Protocol):
    """Whatever gives every user a score for every item."""

    @property
    def item_ids(self) -> tuple[str, ...]:
        """The items, in the order of the score matrix's columns."""

    def scores(self, user_ids: Sequence[str]) -> Scores:
        """Return a (users x items) matrix; a higher score is a better item for the user."""


def kept_rows(user_ids: Sequence[str], erased: Collection[str]) -> NDArray[np.int64]:
    """Return the rows of the users who stay when some are taken out of a model."""
    gone = frozenset(erased)
    return np.array([row for row, name in enumerate(user_ids) if name not in gone], np.int64)


def top_items(scores: Scores, seen: PairMatrix | None, k: int) -> Ranked:
    """Return the indexes of each user's k best unseen items, best first.

    Ties go to the lower index, so a list never depends on the order of anything else.

    Args:
        scores: (users x items), finite.
        seen: (users x items), non-zero where the item must not be listed.
        k: length of the lists.

    Returns:
        (users x k) item indexes; -1 where a user has fewer than k unseen items.
    """
    users, items = scores.shape
    masked = np.array(scores, dtype=np.float32)
    if seen is not None:
        rows, columns = seen.nonzero()
        masked[rows, columns] = -np.inf
    ranked = np.full((users, k), -1, dtype=np.int64)
    size = min(k, items)
    if size == 0:
        return ranked
    # Score and index in one integer: sorting it is sorting by score, then by index, without ties.
    ordered = _as_ordered_integers(masked) << 32 | (items - 1 - np.arange(items, dtype=np.int64))
    best = np.partition(ordered, items - size, axis=1)[:, items - size :]
    best = np.sort(best, axis=1)[:, ::-1]
    index = items - 1 - (best & 0xFFFFFFFF)
    is_unseen = np.isfinite(np.take_along_axis(masked, index, axis=1))
    ranked[:, :size] = np.where(is_unseen, index, -1)
    return ranked


def rank_users(
    scorer: Scorer,
    user_ids: Sequence[str],
    seen: PairMatrix | None,
    k: int,
) -> Ranked:
    """Return each user's k best unseen items (users x k), in blocks that fit into memory.

    Args:
        scorer: what to rank by.
        user_ids: the users, in the order of `seen`'s rows.
        seen: (users x items), non-zero where the item must not be listed.
        k: length of the lists.
    """
    ranked = [
        top_items(scorer.scores(user_ids[block]), None if seen is None else seen[block], k)
        for block in blocks(len(user_ids), len(scorer.item_ids))
    ]
    return np.concatenate(ranked) if ranked else np.empty((0, k), dtype=np.int64)


def blocks(users: int, items: int) -> Iterator[slice]:
    """Return slices over users such that a block of scores has a bounded size."""
    step = max(1, _BLOCK_CELLS // max(items, 1))
    return (slice(start, start + step) for start in range(0, users, step))


def pair_matrix(
    pairs: pl.DataFrame,
    user_ids: Sequence[str],
    item_ids: Sequence[str],
    values: str | None = None,
) -> PairMatrix:
    """Return the pairs of a frame as a sparse (users x items) matrix.

    Pairs of users or items that are not listed are left out.

    Args:
        pairs: user_id, item_id and the column of values.
        user_ids: the users of the rows.
        item_ids: the items of the columns.
        values: column of the entries; 1 everywhere when left out.
    """
    known = (
        pairs.join(numbered(USER_ID, user_ids, "row"), on=USER_ID)
        .join(numbered(ITEM_ID, item_ids, "column"), on=ITEM_ID)
        .sort("row", "column")
    )
    entries = known[values].to_numpy() if values else np.ones(known.height)
    return sparse.csr_array(
        (entries.astype(np.float32), (known["row"].to_numpy(), known["column"].to_numpy())),
        shape=(len(user_ids), len(item_ids)),
    )


def numbered(name: str, ids: Sequence[str], number: str) -> pl.DataFrame:
    """Return ids as a frame, beside each its place in the list (64 bits)."""
    listed = pl.DataFrame({name: list(ids)}, schema={name: pl.String})
    return listed.with_row_index(number).with_columns(pl.col(number).cast(pl.Int64))


def _as_ordered_integers(values: Scores) -> NDArray[np.int64]:
    """Return integers in the order of the floats, below 2³¹ in size.

    IEEE 754 floats of one sign compare as their bits do; negative ones in reverse. Adding 0 first
    makes -0 and 0 one value.
    """
    bits = (values + np.float32(0)).view(np.int32)
    return np.where(bits >= 0, bits, bits ^ np.int32(0x7FFFFFFF)).astype(np.int64)
