from __future__ import annotations

import numpy as np
import pytest

from feedback_platform.learning.online.tree_masks import TreeMasks
from feedback_platform.learning.ranker import RankerParameters, fit_trees
from feedback_platform.learning.ranker_impressions import Examples
from feedback_platform_tests.learning.ranker_frames import drawn_examples


def with_gaps(seed: int) -> Examples:
    """Some features are missing now and then, and the others never."""
    examples, _ = drawn_examples(seed=seed)
    generator = np.random.default_rng(seed)
    rows = examples.rows.copy()
    gaps = generator.random(rows.shape) < 0.2
    gaps[:, ::2] = False
    rows[gaps] = np.nan
    return Examples.plain(rows, examples.labels, examples.groups, examples.users)


@pytest.mark.parametrize("leaves", [2, 4, 8, 9, 16])
def test_sums_are_those_of_the_trees_whatever_is_missing(leaves: int) -> None:
    examples = with_gaps(leaves)
    trees = fit_trees(examples, RankerParameters(trees=30, leaves=leaves), seed=1)
    assert {0, 2, 8, 10}.intersection(trees.decisions.tolist())
    masks = TreeMasks.of(trees)
    assert masks is not None
    generator = np.random.default_rng(1)
    strange = generator.normal(size=(200, examples.rows.shape[1])).astype(np.float32)
    strange[generator.random(strange.shape) < 0.3] = np.nan
    strange[generator.random(strange.shape) < 0.1] = 0
    for rows in (examples.rows[:500], strange, examples.rows[:1], examples.rows[:0]):
        assert masks.predict(rows) == pytest.approx(trees.predict(rows), abs=1e-6)
    # On a threshold a row goes to the left.
    edges = strange.copy()
    edges[:, trees.split_features] = trees.thresholds
    assert masks.predict(edges) == pytest.approx(trees.predict(edges), abs=1e-6)


def test_a_tree_that_asks_nothing_says_the_same_of_everybody() -> None:
    examples, _ = drawn_examples(users=2)
    trees = fit_trees(examples, RankerParameters(trees=2, rows_a_leaf=1000), seed=1)
    assert trees.leaves.tolist() == [1, 1] or trees.leaves.max() == 1
    masks = TreeMasks.of(trees)
    assert masks is not None
    assert masks.predict(examples.rows) == pytest.approx(trees.predict(examples.rows), abs=1e-6)


def test_large_trees_are_left_to_those_who_walk() -> None:
    examples, _ = drawn_examples()
    assert TreeMasks.of(fit_trees(examples, RankerParameters(leaves=17, trees=3), seed=1)) is None
