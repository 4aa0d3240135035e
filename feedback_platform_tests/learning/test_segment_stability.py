from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from feedback_platform.learning.segment_stability import SAMPLE, prediction_strengths, strongest


def by_sign(points: NDArray[np.float64], k: int) -> NDArray[np.int64]:
    """Two groups, whatever number is asked for: left and right of zero."""
    assert k == 2
    return (points[:, 0] > 0).astype(np.int64)


def by_order(points: NDArray[np.float64], k: int) -> NDArray[np.int64]:
    """Groups without meaning: the first users of the half, and the others."""
    return (np.arange(len(points)) * k // len(points)).astype(np.int64)


def two_clouds() -> NDArray[np.float64]:
    generator = np.random.default_rng(1)
    left, right = generator.normal(-5, 1, (50, 2)), generator.normal(5, 1, (50, 2))
    return np.concatenate([left, right])


def test_groups_that_come_back_whole_have_strength_one() -> None:
    assert prediction_strengths(two_clouds(), [2], by_sign, seed=1) == {2: 1.0}


def test_groups_without_meaning_are_weak() -> None:
    # Pairs of an arbitrary group stay together about as often as in a fair draw of two centres.
    assert prediction_strengths(two_clouds(), [2], by_order, seed=1)[2] < 0.6


def test_a_number_that_a_half_cannot_hold_is_left_out() -> None:
    points = np.array([[0.0], [0.0], [1.0], [1.0]])
    assert prediction_strengths(points, [2], by_sign, seed=1) == {}


def test_the_largest_strong_number_is_taken() -> None:
    assert strongest({2: 0.9, 3: 0.7, 4: 0.96, 5: 0.5}) == 4


def test_without_a_strong_number_the_strongest_is_taken_and_the_smaller_of_equals() -> None:
    assert strongest({2: 0.6, 3: 0.7, 4: 0.7}) == 3
    assert strongest({}) is None


def test_of_many_users_the_halves_are_drawn() -> None:
    points = np.concatenate([two_clouds()] * 150)
    sizes = []

    def counted(half: NDArray[np.float64], k: int) -> NDArray[np.int64]:
        sizes.append(len(half))
        return by_sign(half, k)

    assert prediction_strengths(points, [2], counted, seed=1) == {2: 1.0}
    assert set(sizes) == {SAMPLE // 2}
