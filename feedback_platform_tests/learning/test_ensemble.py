from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning import ensemble, sources
from feedback_platform.learning.ensemble import Ensemble, Member
from feedback_platform.learning.factorisation import FactorisationParameters
from feedback_platform.learning.popularity import Popularity
from feedback_platform_tests.learning.frames import (
    NO_ITEMS,
    NO_USERS,
    items_of,
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


def test_only_what_has_a_weight_is_fitted() -> None:
    data = sources.TrainingInput(two_tastes(), items_of(("zzz", None, [])), NO_USERS, 0.5)
    model = ensemble.fit_ensemble(data, SMALL, {"als-4-1-5-0x1": 0.25, "popularity": 0.75}, seed=1)
    assert model.weights == {"als-4-1-5-0x1": 0.25, "popularity": 0.75}
    assert "zzz" in model.item_ids  # an item nobody has met is listed too


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
