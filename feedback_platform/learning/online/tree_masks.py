"""The sums of small trees for a few rows at a time, without a walk.

Every split is asked of every row at once. A split that a row fails takes the leaves on its left out
of a set of bits, one bit a leaf, and the leftmost leaf that remains is where the row ends
(Lucchese et al., 2015, "QuickScorer"). LightGBM's own predictor is made for many rows: to be called
costs it as much as two hundred rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feedback_platform.learning.ranker_trees import Trees

_MOST_LEAVES: Final = 16
# Of LightGBM's kinds of splits: what is missing goes to the left; it is what is not a number, or
# nothing is missing, and what is not a number counts as 0. Zeros as missing values nobody asks for.
_TO_THE_LEFT: Final = 2
_NOT_A_NUMBER: Final = 8
_ZERO: Final = 4


@dataclass(frozen=True, eq=False)
class TreeMasks:
    """Trees in the form in which all splits are asked at once.

    Attributes:
        features: of each split, (slots · trees,); twice the row's features, see `predict`.
        thresholds: of each split.
        masks: which leaves stay when a row fails it.
        values: of each leaf, from left to right, (trees x leaves), flat.
        firsts: where each tree's leaves begin.
    """

    features: NDArray[np.int64]
    thresholds: NDArray[np.float32]
    masks: NDArray[np.unsignedinteger]
    values: NDArray[np.float64]
    firsts: NDArray[np.int64]

    @classmethod
    def of(cls, trees: Trees) -> TreeMasks | None:
        """Return some trees in this form; None of trees that are too large for it."""
        if trees.leaves.max() > _MOST_LEAVES or (trees.decisions & _ZERO).any():
            return None
        leaves, slots = int(trees.leaves.max()), max(int(trees.leaves.max()) - 1, 1)
        count = len(trees.leaves)
        kind = np.uint8 if leaves <= np.iinfo(np.uint8).bits else np.uint16
        features = np.zeros((slots, count), dtype=np.int64)
        # What is at most infinity is everything: a slot without a split changes nothing.
        thresholds = np.full((slots, count), np.inf, dtype=np.float32)
        masks = np.full((slots, count), np.iinfo(kind).max, dtype=kind)
        values = np.zeros((count, leaves))
        ends = np.cumsum(trees.leaves - 1)
        for tree, (size, end) in enumerate(zip(trees.leaves.tolist(), ends.tolist(), strict=True)):
            part = slice(end - size + 1, end)
            order, lefts = _from_left_to_right(trees.left[part], trees.right[part])
            values[tree, :size] = trees.values[end - size + 1 + tree :][:size][order]
            features[: size - 1, tree] = trees.split_features[part]
            features[: size - 1, tree] += trees.features * _leads_left(trees, part)
            thresholds[: size - 1, tree] = trees.thresholds[part]
            for slot, (first, last) in enumerate(lefts):
                cleared = (1 << last) - (1 << first)
                masks[slot, tree] &= np.array(np.iinfo(kind).max ^ cleared, dtype=kind)
        return cls(
            features.ravel(),
            thresholds.reshape(-1, 1),
            masks.reshape(-1, 1),
            values.ravel(),
            (np.arange(count) * leaves)[:, None],
        )

    def predict(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the sum of each row's leaves, (rows,)."""
        if not len(rows):
            return np.empty(0)
        columns = rows.T
        is_missing = np.isnan(columns)
        # What is missing fails a split, or in the second half passes it.
        both = np.concatenate([columns, columns])
        both[: len(columns)][is_missing] = np.inf
        both[len(columns) :][is_missing] = -np.inf
        # `take` needs a third of the time of brackets.
        passes = both.take(self.features, axis=0) <= self.thresholds
        # All bits where a row passes, those of the mask where it fails.
        kept = self.masks | -passes.view(np.uint8).astype(self.masks.dtype)
        left = np.bitwise_and.reduce(kept.reshape(-1, len(self.firsts), len(rows)), axis=0)
        ends = _LOWEST.take(left) + self.firsts
        sums: NDArray[np.float64] = self.values.take(ends).sum(axis=0)
        return sums


def _leads_left(trees: Trees, part: slice) -> NDArray[np.bool_]:
    """Return which splits a row without a number passes."""
    decisions = trees.decisions[part]
    is_missing = (decisions & _NOT_A_NUMBER) > 0
    # Where nothing is missing by itself, it counts as 0.
    return np.where(is_missing, (decisions & _TO_THE_LEFT) > 0, trees.thresholds[part] >= 0)


def _from_left_to_right(
    left: NDArray[np.int64], right: NDArray[np.int64]
) -> tuple[list[int], list[tuple[int, int]]]:
    """Return a tree's leaves from left to right, and which of these are to the left of each split.

    A child's number is higher than its parent's, so it is enough to go backwards.
    """
    leaves: dict[int, list[int]] = {}

    def below(child: int) -> list[int]:
        return [-child - 1] if child < 0 else leaves[child]

    for split in range(len(left) - 1, -1, -1):
        leaves[split] = [*below(int(left[split])), *below(int(right[split]))]
    order = leaves.get(0, [0])
    places = {leaf: place for place, leaf in enumerate(order)}
    lefts = []
    for child in left.tolist():
        own = [places[leaf] for leaf in below(child)]
        lefts.append((min(own), max(own) + 1))
    return order, lefts


def _lowest_bits() -> NDArray[np.uint8]:
    """Return the place of the lowest bit of every number of sixteen bits."""
    numbers = np.arange(1 << 16)
    lowest = np.zeros(len(numbers), dtype=np.uint8)
    for bit in range(15, -1, -1):
        lowest[(numbers >> bit) & 1 > 0] = bit
    return lowest


_LOWEST: Final = _lowest_bits()
