from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.exploration import (
    NO_EXPLORATION,
    Exploration,
    draws_of,
    draws_of_one,
    explore,
    explore_list,
    probabilities,
    sizes_of,
)

# One user's items from the best on: a list of three, and two behind its end.
RANKED = np.array([[10, 11, 12, 20, 21]])
# Each of the first two places is drawn in a quarter of the lists.
QUARTER = Exploration(share=0.25, places=2, pool=5)


def test_an_item_of_a_first_place_and_one_from_anywhere_swap() -> None:
    # Below one half a place is drawn; .5 is the second of two, .9 the last of the four others.
    shown = explore(RANKED, 3, np.array([[0.4, 0.5, 0.9]]), QUARTER)
    assert shown.items.tolist() == [[10, 21, 12]]
    assert shown.is_raised.tolist() == [[False, True, False]]
    # The first leaves its place when it is drawn, .25, or the second is and then it, .25 / 4. The
    # last of all comes to the second place when that is drawn, .25, and it of four. The third
    # leaves when one of the two places is drawn, and then it.
    assert shown.propensities.tolist() == [[1 - 0.25 - 0.0625, 0.0625, 1 - 0.125]]


def test_two_items_of_the_list_may_swap() -> None:
    # The second place, and the first of the others, which is the first item.
    shown = explore(RANKED, 3, np.array([[0.4, 0.5, 0.0]]), QUARTER)
    assert shown.items.tolist() == [[11, 10, 12]]
    assert shown.is_raised.tolist() == [[True, False, False]]
    # Either of the two may be the one whose place was drawn.
    assert shown.propensities[0, :2].tolist() == [0.125, 0.125]


def test_most_lists_are_the_models() -> None:
    shown = explore(RANKED, 3, np.array([[0.6, 0.5, 0.9]]), QUARTER)
    assert shown.items.tolist() == [[10, 11, 12]]
    assert not shown.is_raised.any()


@pytest.mark.parametrize("ranked", [[[10]], [[10, -1, -1, -1]]], ids=str)
def test_a_list_of_one_item_is_certain(ranked: list[list[int]]) -> None:
    shown = explore(np.array(ranked), 3, np.array([[0.0, 0.0, 0.0]]), QUARTER)
    assert shown.items.tolist() == [[10, -1, -1]]
    assert shown.propensities.tolist() == [[1, 0, 0]]
    assert not shown.is_raised.any()


@given(
    length=st.integers(1, 6),
    items=st.integers(0, 12),
    places=st.integers(1, 8),
    share=st.floats(0, 1),
    pool=st.integers(0, 8),
)
def test_probabilities_add_up_to_one_at_every_position_that_has_an_item(
    length: int, items: int, places: int, share: float, pool: int
) -> None:
    exploration = Exploration(share / places, places, pool)
    ranked = np.arange(items)[None, :]
    size = sizes_of(ranked, length, exploration)
    ranks = np.arange(1, items + 1)
    for position in range(1, length + 1):
        chances = probabilities(ranks, np.full(items, position), size, length, exploration)
        assert chances.sum() == pytest.approx(1 if position <= items else 0)
        assert (chances >= 0).all()


def test_items_are_shown_as_often_as_their_propensity_says() -> None:
    users = 60_000
    exploration = Exploration(share=0.1, places=5, pool=4)
    ranked = np.tile(np.arange(12), (users, 1))
    shown = explore(ranked, 6, draws_of([f"u{n}" for n in range(users)], "a day"), exploration)
    ranks, size = np.arange(1, 13), np.array([10])
    for position in range(1, 7):
        often = np.bincount(shown.items[:, position - 1], minlength=12) / users
        said = probabilities(ranks, np.full(12, position), size, 6, exploration)
        # Four standard errors.
        assert (np.abs(often - said) <= 4 * np.sqrt(said * (1 - said) / users) + 1e-12).all()
    assert all(len(set(row)) == 6 for row in shown.items[:200].tolist())


def test_draws_are_the_users_own_and_change_with_the_salt() -> None:
    draws = draws_of(["ann", "bob"], "monday")
    assert np.array_equal(draws_of(["bob"], "monday"), draws[1:])
    assert not np.isclose(draws, draws_of(["ann", "bob"], "tuesday")).any()
    assert draws.min() >= 0
    assert draws.max() < 1
    assert draws_of([], "monday").shape == (0, 3)


def test_who_explores_nothing_lists_what_the_model_ranks() -> None:
    shown = explore(RANKED, 3, np.array([[0.0, 0.0, 0.0]]), NO_EXPLORATION)
    assert shown.items.tolist() == [[10, 11, 12]]
    assert shown.propensities.tolist() == [[1, 1, 1]]


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ((-0.1, 10, 80), "a share from 0 to 1"),
        ((0.05, 0, 80), "places from 1"),
        ((0.05, 10, -1), "a pool from 0"),
        ((0.2, 10, 80), "0.1 is the most"),
    ],
)
def test_senseless_exploration_is_refused(numbers: tuple[float, int, int], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        Exploration(*numbers)


@given(
    size=st.integers(0, 30),
    behind=st.integers(0, 10),
    share=st.sampled_from([0.0, 0.05, 0.2]),
    places=st.integers(1, 5),
    user=st.text(max_size=3),
)
def test_one_list_is_explored_as_it_is_among_others(
    size: int, behind: int, share: float, places: int, user: str
) -> None:
    exploration, length = Exploration(share, places, pool=80), max(size + behind, 1)
    draws = draws_of([user], "salt")
    ranked = np.full((1, length), -1)
    ranked[0, :size] = np.arange(size) * 7
    among_others = explore(ranked, length, draws, exploration)

    alone = explore_list(size, length, draws_of_one(user, "salt"), exploration)

    assert draws_of_one(user, "salt") == tuple(draws[0].tolist())
    assert alone.ranks == among_others.ranks[0, :size].tolist()
    assert alone.propensities == among_others.propensities[0, :size].tolist()
