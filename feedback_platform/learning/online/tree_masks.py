"""The sums of small trees for a few rows at a time, without a walk.

Every split is asked of every row at once. A split that a row fails takes the leaves on its left out
of a set of bits, one bit a leaf, and the leftmost leaf that remains is where the row ends
(Lucchese et al., 2015, "QuickScorer"). LightGBM's own predictor is made for many rows: to be called
costs it as much as two hundred rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feedback_platform.learning.ranker_trees import Trees

_MOST_LEAVES: Final = 16
# Up to here every set of leaves has a place in a table.
_FEW_LEAVES: Final = 8
# Rows are padded to a multiple of this, so that few arrays have to be kept beside the trees, and up
# to so many rows are. An operation that need not repeat one number along a row takes half the time.
_STEP: Final = 32
_MOST_KEPT: Final = 256
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
        gone: which leaves are taken out when a row fails it.
        values: of the leaf where a row ends, by which leaves are out, (trees x sets), flat.
        firsts: where each tree's values begin.
    """

    features: NDArray[np.int64]
    thresholds: NDArray[np.float32]
    gone: NDArray[np.unsignedinteger]
    values: NDArray[np.float64]
    firsts: NDArray[np.int64]

    @classmethod
    def of(cls, trees: Trees) -> TreeMasks | None:
        """Return some trees in this form; None of trees that are too large for it."""
        if trees.leaves.max() > _MOST_LEAVES or (trees.decisions & _ZERO).any():
            return None
        leaves, slots = int(trees.leaves.max()), max(int(trees.leaves.max()) - 1, 1)
        count = len(trees.leaves)
        kind = np.uint8 if leaves <= _FEW_LEAVES else np.uint16
        features = np.zeros((slots, count), dtype=np.int64)
        # Nothing is more than infinite: a slot without a split changes nothing.
        thresholds = np.full((slots, count), np.inf, dtype=np.float32)
        gone = np.zeros((slots, count), dtype=kind)
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
                gone[slot, tree] = (1 << last) - (1 << first)
        if leaves <= _FEW_LEAVES:
            sets = np.arange(1 << leaves, dtype=np.uint16)
            # All leaves are never out.
            values = values[:, _LOWEST.take(~sets).clip(max=leaves - 1)]
        return cls(
            features.ravel(),
            thresholds.reshape(-1, 1),
            gone.reshape(-1, 1),
            values.ravel(),
            (np.arange(count) * values.shape[1])[:, None],
        )

    def predict(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the sum of each row's leaves, (rows,)."""
        count, features = rows.shape
        if not count:
            return np.empty(0)
        width = -(-count // _STEP) * _STEP
        both = np.zeros((2 * features, width), dtype=np.float32)
        both[features:, :count] = rows.T
        # What is not a number is more than nothing, and passes a split; the first half fails it.
        both[:features] = both[features:]
        np.copyto(both[:features], np.inf, where=np.isnan(both[:features]))
        thresholds, gone = self._repeated(width)
        # `take` needs a third of the time of brackets.
        fails = both.take(self.features, axis=0) > thresholds
        out = np.bitwise_or.reduce(
            (gone * fails.view(np.uint8)).reshape(-1, len(self.firsts), width), axis=0
        )
        places = (out if out.dtype == np.uint8 else _LOWEST.take(~out)).astype(np.intp)
        places += self.firsts
        sums: NDArray[np.float64] = np.add.reduce(self.values.take(places), axis=0)
        return sums[:count]

    def _repeated(self, width: int) -> tuple[NDArray[np.float32], NDArray[np.unsignedinteger]]:
        """Return `thresholds` and `gone`, for as many rows at a time."""
        if width > _MOST_KEPT:
            return self.thresholds, self.gone
        kept = self._kept.get(width)
        if kept is None:
            kept = self.thresholds.repeat(width, axis=1), self.gone.repeat(width, axis=1)
            self._kept[width] = kept
        return kept

    @cached_property
    def _kept(self) -> dict[int, tuple[NDArray[np.float32], NDArray[np.unsignedinteger]]]:
        return {}


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
