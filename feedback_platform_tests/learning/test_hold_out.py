from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from feedback_platform.learning.ensemble import Ensemble, Member
from feedback_platform.learning.hold_out import HoldOut
from feedback_platform.learning.popularity import Popularity
from feedback_platform.learning.recommender import Recommender
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


def test_only_inner_splits_of_its_own_kind_are_like_the_hold_out() -> None:
    own = replace(SPLIT, kind="per_user", cut=None)
    hold_out = HoldOut(SPLIT, ITEMS, NO_USERS, (SPLIT, own))
    assert [part.split for part in hold_out.inner_parts] == [SPLIT, own]
    (similar,) = hold_out.similar_parts
    assert similar is hold_out.inner_parts[0]
    # What had no feedback in the training part is unknown in the parts of it, too.
    assert similar.items_at_cut["item_id"].to_list() == ["a", "b", "c"]


def test_a_model_without_a_ranker_is_served_as_it_is() -> None:
    ensemble = Ensemble((Member("one", "popularity", 1, MODEL),))
    model = Recommender(ensemble, MODEL, ("ann",))
    assert HoldOut(SPLIT, ITEMS, NO_USERS).served(model) is model
