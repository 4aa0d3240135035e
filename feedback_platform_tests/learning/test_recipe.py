from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import pytest

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.ranker import RankerParameters
from feedback_platform.learning.recipe import Recipe
from feedback_platform.learning.sources import TrainingInput, item_ease, popularity
from feedback_platform_tests.learning.few_sources import SMALL_LIGHTFM
from feedback_platform_tests.learning.frames import NO_ITEMS, NO_USERS, items_of, two_tastes

RECIPE = Recipe(((item_ease(10), 0.75), (SMALL_LIGHTFM, 0.25)), seed=1, threshold=0.5)


def test_a_recipe_is_read_back_from_json() -> None:
    stored = json.loads(json.dumps(RECIPE.stored))
    assert Recipe.of(stored) == RECIPE
    # A version's parameters say more than that.
    assert Recipe.of({**stored, "split": "global"}) == RECIPE
    ranked = replace(RECIPE, ranker=RankerParameters(leaves=4))
    assert Recipe.of(json.loads(json.dumps(ranked.stored))) == ranked


def test_a_recipe_of_a_release_without_rankers_has_none() -> None:
    earlier = {name: value for name, value in RECIPE.stored.items() if name != "ranker"}
    assert Recipe.of(earlier) == RECIPE
    assert RECIPE.ranker is None


@pytest.mark.parametrize(
    "stored",
    [
        {},
        {**RECIPE.stored, "sources": []},
        {**RECIPE.stored, "sources": ["popularity"]},
        {**RECIPE.stored, "sources": [popularity().description]},
        {**RECIPE.stored, "sources": [{**popularity().description, "weight": 0}]},
        {**RECIPE.stored, "sources": [{**popularity().description, "weight": "all"}]},
        {**RECIPE.stored, "seed": None},
        {**RECIPE.stored, "ranker": {}},
        {**RECIPE.stored, "ranker": "all"},
        {**RECIPE.stored, "ranker": {**asdict(RankerParameters()), "leaves": 1}},
        {**RECIPE.stored, "ranker": {**asdict(RankerParameters()), "trees": "many"}},
        # Of a factorisation of an earlier release.
        {"components": 32, "epochs": 15, "seed": 1, "threshold": 0.5},
    ],
)
def test_what_is_no_recipe_is_refused(stored: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        Recipe.of(stored)


def test_a_recipe_makes_a_recommender_of_its_sources_and_weights() -> None:
    data = TrainingInput(two_tastes(), items_of(("zzz", None, [])), NO_USERS, 0.5)
    model = RECIPE.fit(data)
    assert model.ensemble.weights == {"item-ease-10": 0.75, "small": 0.25}
    assert model.item_ids == data.preferences.item_ids
    assert "zzz" in model.item_ids
    assert model.user_ids == data.preferences.user_ids
    liked = model.popularity.weights
    assert liked.sum() == two_tastes().filter(feedback_score=0.9).height
    assert RECIPE.fit(TrainingInput(two_tastes(), NO_ITEMS, NO_USERS, 0.5)).item_ids[-1] == "i023"
