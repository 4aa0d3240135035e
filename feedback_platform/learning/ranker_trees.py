"""Boosted trees as plain arrays, checked before LightGBM sees them.

LightGBM reads models in a text of its own, and trusts it: an index out of range, or a branch that
leads back to the root, ends the process or never ends. So the arrays are what is stored; they are
checked like any other, and the text is written from them anew. It holds numbers only.

Thresholds are rounded down to 32 bits. For features of 32 bits that changes no comparison: x ≤ t
holds exactly when x is at most the largest such number that does not exceed t.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.arrays import ArrayReader

Integers = NDArray[np.int64]
Floats = NDArray[np.float32]

# How a split treats missing values: none, zero or NaN, and to which side. Odd ones are categorical.
_DECISIONS: Final = (0, 2, 4, 6, 8, 10)
_MOST_LEAVES: Final = 1_024


@dataclass(frozen=True, eq=False)
class Trees:
    """Binary trees one after the other; a tree of n leaves has n - 1 splits.

    Attributes:
        features: how many features a row has.
        leaves: leaves of each tree, (trees,).
        split_features, decisions, left, right: of each split; a child of -k is the tree's leaf
            k - 1, and any other the tree's split of that number.
        thresholds: of each split; a row whose feature is at most this goes left.
        values: of each leaf.

    Raises:
        InvalidInputError: the arrays do not describe trees.
    """

    features: int
    leaves: Integers
    split_features: Integers
    decisions: Integers
    left: Integers
    right: Integers
    thresholds: Floats
    values: Floats

    def __post_init__(self) -> None:
        _check_leaves(self.leaves)
        splits, values = int((self.leaves - 1).sum()), int(self.leaves.sum())
        of_splits = (self.split_features, self.decisions, self.left, self.right, self.thresholds)
        if any(len(each) != splits for each in of_splits) or len(self.values) != values:
            raise InvalidInputError("The ranker's trees have arrays of lengths that do not fit.")
        if not np.isin(self.decisions, _DECISIONS).all():
            raise InvalidInputError("The ranker's trees have a split of no known kind.")
        if splits and not 0 <= self.split_features.min() <= self.split_features.max() < (
            self.features
        ):
            raise InvalidInputError(f"The ranker's trees ask for none of {self.features} features.")
        for tree, part in enumerate(self._parts):
            if not _is_tree(self.left[part], self.right[part]):
                raise InvalidInputError(f"The ranker's tree {tree} is none: its branches cross.")

    @classmethod
    def of(cls, booster: lgb.Booster) -> Trees:
        """Return the trees of a trained model."""
        parsed = [_fields(block) for block in booster.model_to_string().split("\nTree=")[1:]]

        def column(name: str, kind: type) -> NDArray[np.float64]:
            return np.array([kind(v) for tree in parsed for v in tree.get(name, "").split()])

        # A split between missing and not has an infinite threshold; features are finite.
        largest = float(np.finfo(np.float32).max)
        thresholds = np.clip(column("threshold", float), -largest, largest)
        rounded = thresholds.astype(np.float32)
        too_high = rounded.astype(np.float64) > thresholds
        rounded[too_high] = np.nextafter(rounded[too_high], np.float32(-np.inf))
        return cls(
            booster.num_feature(),
            column("num_leaves", int).astype(np.int64),
            column("split_feature", int).astype(np.int64),
            column("decision_type", int).astype(np.int64),
            column("left_child", int).astype(np.int64),
            column("right_child", int).astype(np.int64),
            rounded,
            column("leaf_value", float).astype(np.float32),
        )

    @classmethod
    def read(cls, reader: ArrayReader, features: int) -> Trees:
        """Return the trees whose `arrays` are in an archive.

        Raises:
            InvalidInputError: an array is missing, malformed, or does not describe trees.
        """
        trees, _ = reader.matrix_shape("leaves")
        leaves = reader.integers("leaves", (trees, 1))[:, 0]
        _check_leaves(leaves)
        total = int(leaves.sum())
        shape = (total - trees,)
        return cls(
            features,
            leaves,
            reader.integers("split_features", shape),
            reader.integers("decisions", shape),
            reader.integers("left", shape),
            reader.integers("right", shape),
            reader.floats("thresholds", shape),
            reader.floats("values", (total,)),
        )

    @property
    def arrays(self) -> dict[str, Integers | Floats]:
        """The arrays by their names, for an archive."""
        names = ("split_features", "decisions", "left", "right", "thresholds", "values")
        return {"leaves": self.leaves[:, None], **{name: getattr(self, name) for name in names}}

    @property
    def splits(self) -> Integers:
        """How many splits ask for each feature, (features,)."""
        return np.bincount(self.split_features, minlength=self.features)

    def predict(self, rows: Floats) -> NDArray[np.float64]:
        """Return the sum of each row's leaves, on one thread, (rows,)."""
        if not len(rows):
            return np.empty(0)
        predicted = self._booster.predict(rows, raw_score=True, num_threads=1)
        return np.asarray(predicted, dtype=np.float64)

    @cached_property
    def text(self) -> str:
        """The trees in LightGBM's text format."""
        blocks = [self._block(tree, part) for tree, part in enumerate(self._parts)]
        sizes = " ".join(str(len(block)) for block in blocks)
        names = " ".join(f"f{feature}" for feature in range(self.features))
        infos = " ".join(["none"] * self.features)
        return (
            "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\n"
            f"max_feature_idx={self.features - 1}\nobjective=binary sigmoid:1\n"
            f"feature_names={names}\nfeature_infos={infos}\ntree_sizes={sizes}\n\n"
            f"{''.join(blocks)}end of trees\n\nparameters:\nend of parameters\n"
        )

    @cached_property
    def _booster(self) -> lgb.Booster:
        return lgb.Booster(model_str=self.text)

    @property
    def _parts(self) -> list[slice]:
        ends = np.cumsum(self.leaves - 1)
        return [slice(*ends_of) for ends_of in zip(ends - self.leaves + 1, ends, strict=True)]

    def _block(self, tree: int, part: slice) -> str:
        leaves = slice(part.start + tree, part.stop + tree + 1)
        return (
            f"Tree={tree}\nnum_leaves={self.leaves[tree]}\nnum_cat=0\n"
            f"split_feature={_joined(self.split_features[part])}\n"
            f"threshold={_joined(self.thresholds[part].astype(np.float64))}\n"
            f"decision_type={_joined(self.decisions[part])}\n"
            f"left_child={_joined(self.left[part])}\nright_child={_joined(self.right[part])}\n"
            f"leaf_value={_joined(self.values[leaves].astype(np.float64))}\n"
            "is_linear=0\nshrinkage=1\n\n\n"
        )


def _check_leaves(leaves: Integers) -> None:
    if not len(leaves) or not 1 <= leaves.min() <= leaves.max() <= _MOST_LEAVES:
        raise InvalidInputError("The ranker has no trees, or one without or with absurd leaves.")


def _is_tree(left: Integers, right: Integers) -> bool:
    """Return whether every split but the first, and every leaf, is the child of one split before.

    LightGBM numbers splits as it makes them, so a child's number is higher than its parent's.
    """
    splits = len(left)
    children = np.concatenate([left, right])
    parents = np.tile(np.arange(splits), 2)
    expected = np.arange(-splits - 1, splits) if splits else np.empty(0, dtype=np.int64)
    expected = expected[expected != 0]
    is_split = children > 0
    return bool(
        np.array_equal(np.sort(children), expected)
        and (children[is_split] > parents[is_split]).all()
    )


def _fields(block: str) -> dict[str, str]:
    lines = block.split("\n\n", 1)[0].splitlines()[1:]
    return dict(line.split("=", 1) for line in lines)


def _joined(values: NDArray[np.generic]) -> str:
    return " ".join(map(repr, values.tolist()))
