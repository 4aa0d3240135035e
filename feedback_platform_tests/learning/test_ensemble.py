from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning import ensemble, sources
from feedback_platform.learning.ensemble import Ensemble, Member
from feedback_platform.learning.evaluation import evaluate
from feedback_platform.learning.factorisation import FactorisationParameters
from feedback_platform.learning.popularity import Popularity
from feedback_platform.learning.training_data import split_at, split_per_user
from feedback_platform_tests.learning.frames import (
    NO_ITEMS,
    NO_USERS,
    at,
    items_of,
    scores_of,
    two_tastes,
)

SMALL = (
    sources.item_ease(10),
    sources.user_ease(10),
    sources.als(4, 1, 5),
    sources.lightfm("warp", FactorisationParameters(components=4, epochs=5)),
    sources.popularity(),
)
FLOATS = st.floats(-1e3, 1e3, width=32)
MATRICES = hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2), elements=FLOATS)


def constant(*weights: float, items: str = "abc") -> Popularity:
    return Popularity(tuple(items), np.array(weights, dtype=np.float32))


def member(model: Popularity, weight: float = 1, name: str = "one") -> Member:
    return Member(name, "popularity", weight, model)


def taught() -> sources.TrainingInput:
    return sources.TrainingInput(two_tastes(), NO_ITEMS, NO_USERS, 0.5)


def test_the_sum_is_of_standardised_scores_times_weights() -> None:
    # Mean 2, standard deviation √(8/3); mean 10, standard deviation 10 √(2/3).
    model = Ensemble(
        (member(constant(0, 2, 4), 0.75), member(constant(20, 10, 0), 0.25, name="two"))
    )
    step = 1 / np.sqrt(2 / 3)
    expected = [-step * 0.75 + step * 0.25, 0, step * 0.75 - step * 0.25]
    assert model.scores(["ann", "bob"])[1] == pytest.approx(expected, abs=1e-6)
    assert model.weights == {"one": 0.75, "two": 0.25}


@given(scores=MATRICES)
def test_standardised_rows_have_mean_0_and_deviation_1_or_are_flat(
    scores: NDArray[np.float32],
) -> None:
    result = ensemble.standardised(scores).astype(np.float64)
    assert result.mean(axis=1) == pytest.approx(np.zeros(len(scores)), abs=0.05)
    for row in result:
        assert row.std() == pytest.approx(1, abs=0.05) or not row.any()


def test_a_row_without_differences_says_nothing() -> None:
    assert ensemble.standardised(np.full((1, 3), 0.1, dtype=np.float32)).tolist() == [[0, 0, 0]]


def test_votes_go_to_what_helps_on_the_inner_split() -> None:
    before = scores_of(*[(user, "a", 0.9, 1, 1) for user in ("ann", "bob")])
    now = pl.concat([before, scores_of(("ann", "b", 0.9, 1, 9), ("bob", "b", 0.9, 1, 9))])
    inner = split_at(before, now, at(5))
    models: Mapping[str, Popularity] = {
        "wrong": constant(0, 0, 1),
        "right": constant(0, 1, 0),
        "right too": constant(0, 2, 0),
    }
    chosen = ensemble.select([ensemble.library(models, inner)])
    assert chosen.weights == {"right": 1.0}  # the first of equals; a second vote adds nothing
    assert chosen.ndcg == 1
    assert chosen.alone["wrong"] == pytest.approx(1 / np.log2(3))  # b comes second, after c
    with pytest.raises(InvalidInputError, match="needs an inner split"):
        ensemble.select([])


def test_a_source_may_weigh_less_than_half() -> None:
    # "strong" lists a, c, b; with equal weights it is b, c, a, no better; at 4 to 1 it is a, b.
    before = scores_of(("ann", "d", 0.9, 1, 1))
    now = pl.concat([before, scores_of(("ann", "a", 0.9, 1, 9), ("ann", "b", 0.9, 1, 9))])
    inner = split_at(before, now, at(5))
    models = {
        "strong": constant(4, 2.9, 3, 0, items="abcd"),
        "weak": constant(-4, 4, 3, 0, items="abcd"),
    }
    libraries = [ensemble.library(models, inner)]
    chosen = ensemble.select(libraries)
    assert libraries[0].ndcg({"strong": 1, "weak": 1}) <= libraries[0].ndcg({"strong": 1})
    assert 0 < chosen.weights["weak"] < 0.5
    assert chosen.ndcg == 1


def test_a_sample_of_users_decides_where_scores_would_not_fit() -> None:
    scores = two_tastes()
    inner = split_per_user(scores)
    model = constant(*range(24), items="abcdefghijklmnopqrstuvwx")
    small = ensemble.library({"one": model}, inner, cells=10 * 24)
    users = inner.evaluated_users()
    assert len(users) > 10
    assert small.standardised["one"].shape == (10, 24)
    kept = small.inner.evaluated_users()
    assert (kept[0], kept[-1]) == (users[0], users[-1])


def test_what_is_fitted_was_chosen_and_tells_two_tastes_apart() -> None:
    data = taught()
    split = split_per_user(data.scores)
    known = sources.TrainingInput(split.train, NO_ITEMS, NO_USERS, 0.5)
    inner = [split_per_user(split.train)]
    model, chosen = ensemble.fit_ensemble(known, inner, sources=SMALL, seed=1)
    assert model.weights == chosen.weights
    assert sum(chosen.weights.values()) == pytest.approx(1)
    assert chosen.ndcg >= max(chosen.alone.values())
    popular = sources.popularity().fit(known, 1)
    gain = evaluate(model, split).mean("ndcg") - evaluate(popular, split).mean("ndcg")
    assert gain > 0.1
    again, _ = ensemble.fit_ensemble(known, inner, sources=SMALL, seed=1)
    assert again.to_bytes() == model.to_bytes()


def test_an_item_nobody_has_met_is_listed_too() -> None:
    data = sources.TrainingInput(two_tastes(), items_of(("zzz", None, [])), NO_USERS, 0.5)
    inner = [split_per_user(data.scores)]
    model, _ = ensemble.fit_ensemble(data, inner, sources=SMALL, seed=1, steps=2)
    assert "zzz" in model.item_ids


def test_every_source_scores_the_same_items_and_is_read_back() -> None:
    data = taught()
    members = tuple(Member(s.name, s.kind, 0.2, s.fit(data, 1)) for s in SMALL)
    model = Ensemble(members)
    stored = model.to_bytes()
    back = Ensemble.from_bytes(stored)
    assert back.item_ids == data.preferences.item_ids
    users = ["u000", "who", "u001"]
    assert back.scores(users).tolist() == model.scores(users).tolist()
    assert np.isfinite(back.scores(users)).all()
    assert back.to_bytes() == stored


def test_an_ensemble_that_does_not_fit_together_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="at least one member"):
        Ensemble(())
    with pytest.raises(InvalidInputError, match="score different items"):
        Ensemble((member(constant(1, 2, 3)), member(constant(1, 2, 3, items="abd"), name="two")))
    stored = Ensemble((Member("one", "pickle", 1, constant(1, 2, 3)),)).to_bytes()
    with pytest.raises(InvalidInputError, match="'one' is of no known kind"):
        Ensemble.from_bytes(stored)
    # What is left of it ends with the archive of a member, which is no ensemble.
    with pytest.raises(InvalidInputError, match="The ensemble has no array 'members"):
        Ensemble.from_bytes(stored[:-40])
    with pytest.raises(InvalidInputError, match="ensemble is damaged"):
        Ensemble.from_bytes(stored[: len(stored) // 4])


def test_sources_out_of_reach_are_left_out() -> None:
    few = sources.within_reach(sources.DEFAULT_SOURCES, 100, 1_000_000)
    assert not [source.name for source in few if source.name.startswith("item-ease")]
    assert [source.name for source in few if source.name.startswith("user-ease")]
    assert sources.within_reach(sources.DEFAULT_SOURCES, 10, 10) == sources.DEFAULT_SOURCES
    with pytest.raises(InvalidInputError, match="No candidate source"):
        sources.within_reach((sources.item_ease(1),), 10, 1_000_000)
    with pytest.raises(InvalidInputError, match="the same name"):
        sources.within_reach((sources.popularity(), sources.popularity()), 10, 10)
