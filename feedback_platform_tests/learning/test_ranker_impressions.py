from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.ranker import RankerParameters, fit_trees
from feedback_platform.learning.ranker_impressions import Examples, Shown, joined

USERS, ITEMS, PLACES = 400, 12, 5
# How much less is looked at further down, on the logit scale.
LOOKING = np.array([0.0, -0.9, -1.6, -2.2, -2.6])
SMALL = RankerParameters(trees=60, leaves=4, learning_rate=0.1)


def shown(propensities: list[float], positions: list[int], clicks: list[bool]) -> Shown:
    return Shown(np.array(positions), np.array(propensities), np.array(clicks))


def test_weights_are_inverse_propensities_cut_where_they_are_wild() -> None:
    of = shown([0.5, 0.25, 0.25], [1, 1, 1], [False] * 3)
    assert of.weights() == pytest.approx(np.array([0.6, 1.2, 1.2]))
    wild = shown([0.5] * 99 + [0.001], [1] * 100, [False] * 100)
    # The mean inverse is 11.98; the last is cut from 83 times that to ten times.
    weights = wild.weights(10)
    assert weights[-1] / weights[0] == pytest.approx(10 * 11.98 / 2)
    assert weights.mean() == pytest.approx(1)


def test_an_offset_is_the_difference_in_log_odds_to_the_first_position() -> None:
    clicks = [True] * 49 + [False] * 49 + [True] * 19 + [False] * 79
    of = shown([0.2] * 196, [1] * 98 + [3] * 98, clicks)
    # With one click and one other more at each: 50 to 50, and 20 to 80.
    assert of.offsets()[0] == 0
    assert of.offsets()[-1] == pytest.approx(np.log(20 / 80))


@pytest.mark.parametrize(
    ("propensities", "positions", "message"),
    [
        ([0.0], [1], "above 0"),
        ([1.1], [1], "1 at most"),
        ([float("nan")], [1], "above 0"),
        ([0.5], [0], "counted from 1"),
        ([0.5, 0.5], [1], "each"),
    ],
)
def test_what_is_no_impression_is_refused(
    propensities: list[float], positions: list[int], message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        shown(propensities, positions, [True])


def logged(seed: int) -> tuple[NDArray[np.float32], Shown, NDArray[np.float64]]:
    """Lists of a product that puts flashy items on top, whatever users make of them.

    An item has a quality, which its users want, and a flash, which only the product does. Each
    position draws by flash among all items, so its propensity is known.

    Returns:
        features of the impressions, the impressions, and the true relevance of each item in
        `items_of(seed)`.
    """
    features, relevance, flash = items_of(seed)
    generator = np.random.default_rng([seed, 1])
    pull = np.linspace(1.5, -1.5, PLACES)
    chances = np.exp(pull[:, None] * flash)
    chances /= chances.sum(axis=1, keepdims=True)
    place = np.tile(np.arange(PLACES), USERS * 8)
    drawn = (generator.random(len(place))[:, None] > np.cumsum(chances, axis=1)[place]).sum(axis=1)
    drawn = np.minimum(drawn, len(flash) - 1)
    is_clicked = generator.random(len(place)) < expit(relevance[drawn] + LOOKING[place])
    return features[drawn], Shown(place + 1, chances[place, drawn], is_clicked), relevance


def items_of(
    seed: int,
) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]:
    generator = np.random.default_rng(seed)
    quality, flash = generator.normal(size=(2, ITEMS * 10))
    features = np.stack([quality, flash], axis=1).astype(np.float32)
    return features, -1.5 + 0.5 * quality, flash


def test_the_debiased_ranker_recovers_the_true_order_better_than_the_naive_one() -> None:
    gains = []
    for seed in range(12):
        rows, impressions, relevance = logged(seed)
        groups = np.full(USERS * 8, PLACES)
        users = tuple(f"u{list_number % USERS}" for list_number in range(USERS * 8))
        naive = Examples.plain(rows, impressions.is_clicked, groups, users)
        debiased = Examples.shown(rows, impressions, groups, users)
        features, _, _ = items_of(seed)
        agreement = [
            np.corrcoef(
                fit_trees(examples, SMALL, seed=1).predict(features).argsort().argsort(),
                relevance.argsort().argsort(),
            )[0, 1]
            for examples in (debiased, naive)
        ]
        gains.append(agreement[0] - agreement[1])
    generator = np.random.default_rng(0)
    means = np.array(gains)[generator.integers(0, len(gains), (2000, len(gains)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    assert 0.03 < low < high < 1


def test_offsets_find_how_much_less_is_looked_at_further_down() -> None:
    # The first list has each position once. One log has a standard error of 0.23 at the last.
    found = np.mean([logged(seed)[1].offsets()[:PLACES] for seed in range(20)], axis=0)
    assert found == pytest.approx(LOOKING, abs=0.2)


def test_examples_whose_parts_do_not_fit_are_refused() -> None:
    rows = np.zeros((3, 2), dtype=np.float32)
    with pytest.raises(InvalidInputError, match="do not fit"):
        Examples.plain(rows, np.zeros(3, dtype=bool), np.array([2]), ("u",))
    one = Examples.plain(rows, np.zeros(3, dtype=bool), np.array([3]), ("u",))
    other = Examples.plain(rows[:, :1], np.zeros(3, dtype=bool), np.array([3]), ("u",))
    with pytest.raises(InvalidInputError, match="same features"):
        joined([one, other])
    with pytest.raises(InvalidInputError, match="at least one"):
        joined([])


def test_groups_are_taken_with_all_of_their_rows() -> None:
    rows = np.arange(5, dtype=np.float32)[:, None]
    examples = Examples.plain(rows, np.zeros(5, dtype=bool), np.array([2, 3]), ("u", "v"))
    part = examples.of_groups(np.array([False, True]))
    assert part.rows.ravel().tolist() == [2, 3, 4]
    assert part.users == ("v",)
    assert joined([part, part]).groups.tolist() == [3, 3]
