from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from feedback_platform.simulation.population import Population
from feedback_platform.simulation.reactions import NO_ITEM, Reacting, Shown

ITEMS = 96
# A user who likes the first item by one, and nothing else.
TASTES = np.zeros((1, ITEMS))
TASTES[0, 0] = 1.0
POPULATION = Population(
    user_ids=pl.Series(["u"]),
    groups=np.array([0]),
    tastes=TASTES,
    quality=np.zeros(ITEMS),
    contentment=np.zeros(1),
    visits_a_day=np.ones(1),
    joined_day=np.zeros(1),
)


def shown(*items: int, times: int = 1, is_shifted: bool = False) -> Shown:
    return Shown(
        user=np.zeros(times, dtype=np.int64),
        is_shifted=np.full(times, is_shifted),
        items=np.tile(np.array(items), (times, 1)),
    )


def test_chances_of_clicks_are_as_computed_by_hand() -> None:
    (chances,) = Reacting(POPULATION).click_chances(shown(0, 5, NO_ITEM))

    # Log odds -2.64 + 0.85 at the first position, -2.64 - 0.3 at the second.
    assert chances == pytest.approx([1 / (1 + np.exp(1.79)), 1 / (1 + np.exp(2.94)), 0.0])


def test_after_the_shift_other_items_are_liked() -> None:
    reacting = Reacting(POPULATION)

    # Everything moves by the 24 items of a group.
    before = reacting.click_chances(shown(0, 24))
    after = reacting.click_chances(shown(0, 24, is_shifted=True))

    assert before[0, 0] == pytest.approx(1 / (1 + np.exp(1.79)))
    assert after[0] == pytest.approx([1 / (1 + np.exp(2.64)), 1 / (1 + np.exp(2.94 - 0.85))])


def test_users_click_as_often_as_their_chances_say() -> None:
    reacting, lists = Reacting(POPULATION), shown(0, 5, 6, 7, times=20_000)

    reactions = reacting.react(lists, np.random.default_rng(1))

    chances = reacting.click_chances(lists)[0]
    # Four standard errors.
    allowed = 4 * np.sqrt(chances * (1 - chances) / 20_000)
    assert (np.abs(reactions.is_clicked.mean(axis=0) - chances) < allowed).all()


def test_users_look_for_what_they_like_by_themselves() -> None:
    visits = np.zeros(20_000, dtype=np.int64)
    never = np.zeros(20_000, dtype=np.bool_)

    visit, items = Reacting(POPULATION).reach(visits, never, 0.5, np.random.default_rng(1))

    assert len(visit) == len(items)
    assert len(visit) == pytest.approx(10_000, rel=0.05)
    # e^1.6 against 1 for each of the 95 others.
    assert (items == 0).mean() == pytest.approx(np.exp(1.6) / (np.exp(1.6) + 95), rel=0.15)


def test_nobody_reacts_to_a_place_without_an_item() -> None:
    reactions = Reacting(POPULATION).react(shown(NO_ITEM, times=500), np.random.default_rng(1))

    assert not reactions.is_clicked.any()
    assert not reactions.is_dismissed.any()


def test_what_is_used_liked_or_rated_was_clicked_and_what_is_dismissed_was_not() -> None:
    reactions = Reacting(POPULATION).react(shown(0, 1, 2, times=5_000), np.random.default_rng(1))

    assert (reactions.is_clicked | ~reactions.is_used).all()
    assert (reactions.is_used | ~(reactions.is_liked | reactions.is_rated)).all()
    assert not (reactions.is_clicked & reactions.is_dismissed).any()
    assert reactions.is_used.any()
    assert reactions.is_dismissed.any()
