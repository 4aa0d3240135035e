from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.exploration import (
    NOTHING,
    Exploration,
    draws_of,
    explore,
    pool_sizes,
    probabilities,
)

# One user's items from the best on: a list of three, and two behind its end.
RANKED = np.array([[10, 11, 12, 20, 21]])
HALF = Exploration(share=0.25, places=2, pool=5)


def test_a_drawn_item_takes_a_place_and_what_stood_there_moves_down() -> None:
    # Below one half it explores; .5 is the second of two places, .9 the second of two items.
    shown = explore(RANKED, 3, np.array([[0.4, 0.5, 0.9]]), HALF)
    assert shown.items.tolist() == [[10, 21, 11]]
    assert shown.is_explored.tolist() == [[False, True, False]]
    # The first stays unless it is replaced itself: 1 - .5 / 2. The drawn one: .5, one place of two,
    # one item of two. The second moves whichever place is explored.
    assert shown.propensities.tolist() == [[0.75, 0.125, 0.5]]


def test_a_list_that_does_not_explore_is_the_models() -> None:
    shown = explore(RANKED, 3, np.array([[0.6, 0.5, 0.9]]), HALF)
    assert shown.items.tolist() == [[10, 11, 12]]
    assert shown.propensities.tolist() == [[0.75, 0.5, 0.5]]
    assert not shown.is_explored.any()


@pytest.mark.parametrize(
    "ranked", [[[10, 11, 12]], [[10, 11, 12, -1]], [[10, 11, -1, -1]]], ids=str
)
def test_with_nothing_behind_its_end_a_list_is_certain(ranked: list[list[int]]) -> None:
    shown = explore(np.array(ranked), 3, np.array([[0.0, 0.0, 0.0]]), HALF)
    assert shown.items.tolist() == [ranked[0][:3]]
    assert shown.propensities.tolist() == [[1.0 if item >= 0 else 0.0 for item in ranked[0][:3]]]
    assert not shown.is_explored.any()


@given(
    length=st.integers(1, 6),
    behind=st.integers(0, 6),
    places=st.integers(1, 8),
    share=st.floats(0, 1),
    pool=st.integers(1, 8),
)
def test_the_probabilities_of_a_position_add_up_to_one(
    length: int, behind: int, places: int, share: float, pool: int
) -> None:
    exploration = Exploration(share / places, places, pool)
    ranked = np.arange(length + behind)[None, :]
    size = int(pool_sizes(ranked, length, exploration)[0])
    ranks = np.arange(1, length + behind + 1)
    for position in range(1, length + 1):
        chances = probabilities(
            ranks, np.full(len(ranks), position), np.full(len(ranks), size), length, exploration
        )
        assert chances.sum() == pytest.approx(1)
        assert (chances >= 0).all()


def test_items_are_shown_as_often_as_their_propensity_says() -> None:
    users = 60_000
    exploration = Exploration(share=0.1, places=5, pool=4)
    ranked = np.tile(np.arange(12), (users, 1))
    shown = explore(ranked, 6, draws_of([f"u{n}" for n in range(users)], "a day"), exploration)
    for position in range(1, 7):
        often = np.bincount(shown.items[:, position - 1], minlength=12) / users
        said = probabilities(
            np.arange(1, 13), np.full(12, position), np.full(12, 4), 6, exploration
        )
        # Four standard errors.
        assert (np.abs(often - said) <= 4 * np.sqrt(said * (1 - said) / users) + 1e-12).all()
    assert shown.is_explored[:, :5].mean() == pytest.approx(0.1, abs=0.003)
    assert all(len(set(row)) == 6 for row in shown.items[:200].tolist())


def test_draws_are_the_users_own_and_change_with_the_salt() -> None:
    draws = draws_of(["ann", "bob"], "monday")
    assert np.array_equal(draws_of(["bob"], "monday"), draws[1:])
    assert not np.isclose(draws, draws_of(["ann", "bob"], "tuesday")).any()
    assert draws.min() >= 0
    assert draws.max() < 1
    assert draws_of([], "monday").shape == (0, 3)


def test_who_explores_nothing_lists_what_the_model_ranks() -> None:
    shown = explore(RANKED, 3, np.array([[0.0, 0.0, 0.0]]), NOTHING)
    assert shown.items.tolist() == [[10, 11, 12]]
    assert shown.propensities.tolist() == [[1, 1, 1]]


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ((-0.1, 10, 80), "a share from 0 to 1"),
        ((0.05, 0, 80), "from 1 up"),
        ((0.05, 10, 0), "from 1 up"),
        ((0.2, 10, 80), "0.1 is the most"),
    ],
)
def test_senseless_exploration_is_refused(numbers: tuple[float, int, int], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        Exploration(*numbers)
