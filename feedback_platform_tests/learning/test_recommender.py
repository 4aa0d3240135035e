from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.ensemble import Ensemble, Member
from feedback_platform.learning.popularity import Popularity
from feedback_platform.learning.ranker import RankerParameters, fit_ranker
from feedback_platform.learning.recommender import Recommender
from feedback_platform_tests.learning.ranker_frames import SOURCES, drawn_examples


def popularity(*weights: float, items: str = "abc") -> Popularity:
    return Popularity(tuple(items), np.array(weights, dtype=np.float32))


MODEL = Recommender(
    Ensemble((Member("one", "popularity", 1, popularity(3, 2, 1)),)), popularity(0, 4, 9), ("ann",)
)


def test_whom_the_model_has_met_it_scores_and_others_get_what_is_popular() -> None:
    scores = MODEL.scores(["bob", "ann"])
    assert scores[0].tolist() == [0, 4, 9]
    assert scores[1].argsort().tolist() == [2, 1, 0]
    assert MODEL.scores([]).shape == (0, 3)


def test_a_stored_recommender_is_the_same() -> None:
    data = MODEL.to_bytes()
    back = Recommender.from_bytes(data)
    assert (back.item_ids, back.user_ids) == (("a", "b", "c"), ("ann",))
    assert back.scores(["ann", "bob"]).tolist() == MODEL.scores(["ann", "bob"]).tolist()
    assert back.to_bytes() == data


def test_a_recommender_that_does_not_fit_together_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="list other items"):
        Recommender(MODEL.ensemble, popularity(1, 2, 3, items="abd"), ())
    with pytest.raises(InvalidInputError, match="recommender is damaged"):
        Recommender.from_bytes(MODEL.to_bytes()[:200])
    # An ensemble alone, as a file of another release might be.
    with pytest.raises(InvalidInputError, match="recommender has no array 'ensemble'"):
        Recommender.from_bytes(MODEL.ensemble.to_bytes())


def test_a_ranker_of_other_sources_is_refused() -> None:
    ranker, _ = fit_ranker(
        drawn_examples()[0], SOURCES, seed=1, choices=(RankerParameters(trees=1),)
    )
    with pytest.raises(InvalidInputError, match="from first, second; the ensemble has one, ensem"):
        replace(MODEL, ranker=ranker)
