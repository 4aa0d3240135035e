from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
import pytest

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning import selection, sources
from feedback_platform.learning.ensemble import Ensemble, Member, fit_ensemble
from feedback_platform.learning.evaluation import evaluate
from feedback_platform.learning.popularity import Popularity
from feedback_platform.learning.training_data import split_at, split_per_user
from feedback_platform_tests.learning.few_sources import FEW_SOURCES
from feedback_platform_tests.learning.frames import (
    NO_ITEMS,
    NO_USERS,
    at,
    scores_of,
    two_tastes,
)


def constant(*weights: float, items: str = "abc") -> Popularity:
    return Popularity(tuple(items), np.array(weights, dtype=np.float32))


def test_votes_go_to_what_helps_on_the_inner_split() -> None:
    before = scores_of(*[(user, "a", 0.9, 1, 1) for user in ("ann", "bob")])
    now = pl.concat([before, scores_of(("ann", "b", 0.9, 1, 9), ("bob", "b", 0.9, 1, 9))])
    inner = split_at(before, now, at(5))
    models: Mapping[str, Popularity] = {
        "wrong": constant(0, 0, 1),
        "right": constant(0, 1, 0),
        "right too": constant(0, 2, 0),
    }
    chosen = selection.select([selection.library(models, inner)])
    assert chosen.weights == {"right": 1.0}  # the first of equals; a second vote adds nothing
    assert chosen.ndcg == 1
    assert chosen.alone["wrong"] == pytest.approx(1 / np.log2(3))  # b comes second, after c
    with pytest.raises(InvalidInputError, match="needs an inner split"):
        selection.select([])


def test_a_source_may_weigh_less_than_half() -> None:
    # "strong" lists a, c, b; with equal weights it is b, c, a, no better; at 4 to 1 it is a, b.
    before = scores_of(("ann", "d", 0.9, 1, 1))
    now = pl.concat([before, scores_of(("ann", "a", 0.9, 1, 9), ("ann", "b", 0.9, 1, 9))])
    inner = split_at(before, now, at(5))
    models = {
        "strong": constant(4, 2.9, 3, 0, items="abcd"),
        "weak": constant(-4, 4, 3, 0, items="abcd"),
    }
    libraries = [selection.library(models, inner)]
    chosen = selection.select(libraries)
    assert libraries[0].ndcg({"strong": 1, "weak": 1}) <= libraries[0].ndcg({"strong": 1})
    assert 0 < chosen.weights["weak"] < 0.5
    assert chosen.ndcg == 1


def test_a_sample_of_users_decides_where_scores_would_not_fit() -> None:
    scores = two_tastes()
    inner = split_per_user(scores)
    model = constant(*range(24), items="abcdefghijklmnopqrstuvwx")
    small = selection.library({"one": model}, inner, most_users=10)
    users = inner.evaluated_users()
    assert len(users) > 10
    assert small.scores["one"].shape == (10, 24)
    liked = inner.relevant()["user_id"].value_counts().sort("user_id")["count"].to_list()
    assert (small.relevant[0], small.relevant[-1]) == (liked[0], liked[-1])


def test_what_is_chosen_tells_two_tastes_apart() -> None:
    split = split_per_user(two_tastes())
    known = sources.TrainingInput(split.train, NO_ITEMS, NO_USERS, 0.5)
    inner = [split_per_user(split.train)]
    chosen = selection.choose(known, inner, FEW_SOURCES, seed=1)
    assert sum(chosen.weights.values()) == pytest.approx(1)
    assert chosen.ndcg is not None
    assert chosen.ndcg >= max(chosen.alone.values())
    model = fit_ensemble(known, FEW_SOURCES, chosen.weights, seed=1)
    popular = sources.popularity().fit(known, 1)
    gain = evaluate(model, split).mean("ndcg") - evaluate(popular, split).mean("ndcg")
    assert gain > 0.1
    assert selection.choose(known, inner, FEW_SOURCES, seed=1) == chosen


@pytest.mark.parametrize("proposals", [10, 100])
def test_the_sum_of_what_is_proposed_is_measured_like_the_ensemble(proposals: int) -> None:
    split = split_per_user(two_tastes(users=40, items=60))
    known = sources.TrainingInput(split.train, NO_ITEMS, NO_USERS, 0.5)
    models = {source.name: source.fit(known, 1) for source in FEW_SOURCES}
    whole = Ensemble(
        tuple(
            Member(s.name, s.kind, vote, models[s.name])
            for s, vote in zip(FEW_SOURCES, (3, 2, 1), strict=True)
        )
    )
    found = selection.library(models, split, proposals=proposals)
    votes = dict(zip(models, (3, 2, 1), strict=True))
    # Ten proposals of each leave out what only all three together would list; a hundred are all.
    tolerance = 1e-6 if proposals == 100 else 0.02
    assert found.ndcg(votes) == pytest.approx(evaluate(whole, split).mean("ndcg"), abs=tolerance)
    assert found.is_proposed.shape[1] == min(60, 3 * proposals)


def test_a_user_with_nothing_left_to_list_has_no_hit() -> None:
    before = scores_of(*[("ann", item, 0.9, 1, 1) for item in "abc"])
    now = pl.concat([before, scores_of(("ann", "d", 0.9, 1, 9))])
    found = selection.library({"one": constant(1, 2, 3)}, split_at(before, now, at(5)))
    assert not found.is_proposed.any()
    assert found.ndcg({"one": 1}) == 0
    # Nothing to choose by is no reason to fail.
    assert selection.select([found]).weights == {"one": 1}


def test_without_an_inner_split_all_sources_weigh_the_same() -> None:
    data = sources.TrainingInput(two_tastes(), NO_ITEMS, NO_USERS, 0.5)
    chosen = selection.choose(data, [], FEW_SOURCES, seed=1)
    assert chosen == selection.Selection({s.name: 1 / 3 for s in FEW_SOURCES}, None, {})
    # Of a single item no model can be made.
    before = scores_of(("ann", "a", 0.9, 1, 1))
    now = pl.concat([before, scores_of(("ann", "b", 0.9, 1, 9))])
    assert selection.choose(data, [split_at(before, now, at(5))], FEW_SOURCES, seed=1) == chosen
    with pytest.raises(InvalidInputError, match="a source to choose from"):
        selection.choose(data, [], (), seed=1)
