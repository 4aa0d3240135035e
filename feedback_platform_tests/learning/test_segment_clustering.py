from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from feedback_platform.learning.segment_clustering import (
    CLUSTERINGS,
    WARD_SAMPLE,
    Points,
    by_k_means,
    by_ward,
    distinct,
    means,
    nearest,
    settled,
)
from feedback_platform.learning.segments import STRONGEST
from feedback_platform.settings import SEGMENTATIONS


def clouds(size: int) -> Points:
    """Three clouds of so many points each, one after the other."""
    random = np.random.default_rng(1)
    return np.concatenate([random.normal(place, 1, (size, 2)) for place in (0, 10, 20)])


def test_every_way_can_be_chosen_by_its_setting() -> None:
    assert {*CLUSTERINGS, STRONGEST} == set(SEGMENTATIONS)


@pytest.mark.parametrize("algorithm", CLUSTERINGS)
def test_clouds_that_are_apart_are_told_apart(algorithm: str) -> None:
    labels = CLUSTERINGS[algorithm](clouds(40), 3, 1)
    assert adjusted_rand_score(np.repeat([0, 1, 2], 40), labels) == 1


def test_the_groups_of_a_tree_are_parts_of_each_other() -> None:
    points = np.random.default_rng(2).random((60, 3))
    coarse, fine = by_ward(points, 3, 1), by_ward(points, 4, 1)
    assert len({*zip(coarse.tolist(), fine.tolist(), strict=True)}) == 4
    # K-Means draws other borders.
    pairs = zip(by_k_means(points, 3, 1).tolist(), by_k_means(points, 4, 1).tolist(), strict=True)
    assert len({*pairs}) > 4


def test_ward_joins_what_loses_least() -> None:
    # Joining costs |a - b|² n m / (n + m): 0.5 for 0 and 1; 8 for 3 and 7; 8.3 for {0, 1} and 3.
    points = np.array([[0.0], [1.0], [3.0], [7.0]])
    first = by_ward(points, 3, 1)
    assert first[0] == first[1]
    # Then {0, 1} and 3 for 4.17, less than 8 for 3 and 7.
    second = by_ward(points, 2, 1)
    assert second.tolist() in ([0, 0, 0, 1], [1, 1, 1, 0])


def test_of_many_points_a_sample_makes_the_tree_and_all_are_grouped() -> None:
    size = WARD_SAMPLE // 2
    labels = by_ward(clouds(size), 3, 1)
    assert adjusted_rand_score(np.repeat([0, 1, 2], size), labels) == 1


def test_the_nearest_mean_is_found() -> None:
    points = np.array([[0.0, 0.0], [0.0, 2.0], [5.0, 0.0]])
    centres = means(points, np.array([0, 0, 1]))
    assert centres.tolist() == [[0, 1], [5, 0]]
    assert nearest(np.array([[2.0, 1.0], [3.0, 0.0], [-9.0, 9.0]]), centres).tolist() == [0, 1, 0]


def test_who_is_nearer_to_another_group_goes_there() -> None:
    # The means are 3 and 9, and 7 is nearer to 9.
    points = np.array([[0.0], [2.0], [7.0], [9.0]])
    centres, groups = settled(points, np.array([0, 0, 0, 1]))
    assert centres.tolist() == [[3], [9]]
    assert groups.tolist() == [0, 0, 1, 1]


def test_a_group_that_is_nearest_to_nobody_is_left_out() -> None:
    # The means are 0, 1 and 0; among equals the first is taken.
    points = np.array([[-1.0], [1.0], [1.0], [0.0]])
    centres, groups = settled(points, np.array([0, 1, 0, 2]))
    assert centres.tolist() == [[0], [1]]
    assert groups.tolist() == [0, 1, 1, 0]


def test_points_are_equal_to_the_sixth_digit() -> None:
    assert distinct(np.array([[0.1], [0.1 + 1e-9], [0.2]])) == 2
