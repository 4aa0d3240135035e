from __future__ import annotations

import numpy as np
import pytest

from feedback_platform.learning.segment_bootstrap import bootstrap_stability
from feedback_platform.learning.segment_clustering import Labels, Points
from feedback_platform.learning.segment_stability import SAMPLE

PLACES = np.arange(40.0)[:, None]


def at(*bounds: float) -> Labels:
    """Group the places by the bounds between the groups."""
    return cut(*bounds, points=PLACES, k=len(bounds) + 1)


def cut(*bounds: float, points: Points, k: int) -> Labels:
    assert k == len(bounds) + 1
    return np.asarray(np.digitize(points[:, 0], bounds), dtype=np.int64)


def test_groups_that_come_back_whole_are_fully_stable() -> None:
    found = bootstrap_stability(
        PLACES, at(10, 20), lambda points, k: cut(10, 20, points=points, k=k), seed=1
    )
    assert found is not None
    assert found.adjusted_rand == 1
    assert found.segments == (1, 1, 1)


def test_each_group_is_compared_with_the_one_most_like_it() -> None:
    # The first comes back whole. The others, of 10 and 20 users, come back as 15 and 15: Jaccard
    # 10 of 15 and 15 of 20, if everybody is drawn.
    found = bootstrap_stability(
        PLACES, at(10, 20), lambda points, k: cut(10, 25, points=points, k=k), seed=1
    )
    assert found is not None
    assert found.segments[0] == 1
    assert found.segments[1:] == pytest.approx((10 / 15, 15 / 20), abs=0.05)
    assert 0.3 < found.adjusted_rand < 0.9


def test_groups_by_chance_are_not_stable() -> None:
    random = np.random.default_rng(3)
    found = bootstrap_stability(
        PLACES, at(20), lambda points, k: random.integers(k, size=len(points)), seed=1
    )
    assert found is not None
    assert abs(found.adjusted_rand) < 0.1
    assert all(kept is not None and kept < 0.6 for kept in found.segments)


def test_a_single_group_says_nothing() -> None:
    assert bootstrap_stability(PLACES, at(), lambda points, k: at(), seed=1) is None  # noqa: ARG005


def test_groups_that_a_draw_cannot_hold_are_dissolved() -> None:
    # Of three users a draw holds all three in 2 of 9 cases.
    points = PLACES[:3]
    found = bootstrap_stability(
        points, np.arange(3), lambda points, k: cut(1, 2, points=points, k=k), seed=1
    )
    assert found is not None
    assert 0 < found.adjusted_rand < 0.5
    assert all(kept is not None and 0 < kept < 0.6 for kept in found.segments)


def test_of_very_many_users_some_are_drawn() -> None:
    points = np.repeat(PLACES, 400, axis=0)
    sizes = []

    def counted(drawn: Points, k: int) -> Labels:
        sizes.append(len(drawn))
        return cut(20, points=drawn, k=k)

    found = bootstrap_stability(points, cut(20, points=points, k=2), counted, seed=1)

    assert found is not None
    assert found.adjusted_rand == 1
    assert set(sizes) == {SAMPLE}
