from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from feedback_platform.learning.hold_out import HoldOut
from feedback_platform.learning.popularity import Popularity
from feedback_platform.learning.training_data import split_at
from feedback_platform_tests.learning.frames import NO_ITEMS, NO_USERS, at, items_of, scores_of

# Four like a, two like b, one likes c and d each; ann dismissed d.
BEFORE = scores_of(
    *[(user, "a", 0.9, 1, 1) for user in ("ann", "bob", "cat", "dan")],
    *[(user, "b", 0.9, 1, 1) for user in ("bob", "cat")],
    ("dan", "c", 0.9, 1, 1),
    ("dan", "d", 0.9, 1, 1),
    ("ann", "d", 0.1, 1, 1),
)
# Only ann is evaluated.
SPLIT = split_at(BEFORE, pl.concat([BEFORE, scores_of(("ann", "c", 0.9, 1, 9))]), at(5))
ITEMS = items_of(
    ("a", None, ["x"]), ("b", None, ["x"]), ("c", None, ["y"]), ("unseen", None, ["y"])
)
# Of what ann does not know it lists c, then b.
MODEL = Popularity(("a", "b", "c", "d"), np.array([9, 1, 2, 8], dtype=np.float32))


def test_the_training_part_knows_what_had_feedback_before_the_cut() -> None:
    part = HoldOut(SPLIT, ITEMS, NO_USERS).training_part
    assert part.items["item_id"].to_list() == ["a", "b", "c"]
    assert part.preferences.item_ids == ("a", "b", "c", "d")
    assert part.scores.equals(SPLIT.train)


def test_lists_are_measured_by_what_the_users_liked_and_by_what_they_are_like() -> None:
    measured = HoldOut(SPLIT, ITEMS, NO_USERS).measure(MODEL, k=2)
    assert measured.evaluation.user_ids == ("ann",)
    assert measured.evaluation.mean("ndcg") == 1  # c came first
    assert measured.evaluation.coverage == 0.5
    quality = measured.quality
    # c is liked by one of four, b by two: 2 bits and 1.
    assert quality.novelty == pytest.approx(1.5)
    # 1.5 likes on average in the list, and ann's own like has 4.
    assert quality.popularity_bias == pytest.approx(1.5 / 4 - 1)
    assert quality.diversity == pytest.approx(1)
    # All that ann likes is x; half of the list is, and a hundredth of her own is mixed in.
    assert quality.miscalibration == pytest.approx(-math.log(0.99 * 0.5 + 0.01))
    assert set(quality.means(2)) == {
        "novelty_at_2",
        "popularity_bias_at_2",
        "diversity_at_2",
        "miscalibration_at_2",
    }


def test_without_categories_nothing_is_said_of_diversity_and_calibration() -> None:
    quality = HoldOut(SPLIT, NO_ITEMS, NO_USERS).measure(MODEL, k=2).quality
    assert (quality.diversity, quality.miscalibration) == (None, None)


def test_where_nothing_is_left_to_list_there_is_no_bias_to_what_is_popular() -> None:
    knows_little = Popularity(("a", "d"), np.array([1, 2], dtype=np.float32))
    measured = HoldOut(SPLIT, ITEMS, NO_USERS).measure(knows_little, k=2)
    assert measured.evaluation.coverage == 0
    assert measured.quality.novelty is None
    assert measured.quality.popularity_bias == -1
