from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import sparse

from feedback_platform.learning import list_quality

NOTHING = [-1, -1]


def test_novelty_is_the_mean_information_of_the_listed_items() -> None:
    # 8, 2 and no users of 8 know the items: 0, 2 and 3 bits.
    values = list_quality.novelty(
        np.array([[0, 1], [2, -1], NOTHING]), np.array([8, 2, 0]), users=8
    )
    assert values[:2].tolist() == [1, 3]
    assert math.isnan(values[2])


def test_popularity_bias_compares_the_list_with_the_users_own_history() -> None:
    histories = sparse.csr_array(np.array([[0, 5, 1], [1, 0, 0], [0, 0, 0], [1, 0, 0]]))
    item_users = np.array([8, 6, 2])
    ranked = np.array([[0, -1], [2, -1], [0, 1], NOTHING])
    values = list_quality.popularity_bias(ranked, histories, item_users)
    # 8 against (6 + 2) / 2, and 2 against 8.
    assert values[:2].tolist() == [1, -0.75]
    assert np.isnan(values[2:]).all()


def test_diversity_is_the_mean_distance_of_pairs() -> None:
    labels = sparse.csr_array(np.array([[1.0, 0], [2, 0], [1, 1], [0, 1], [0, 0]]))
    ranked = np.array([[0, 1, -1], [0, 3, -1], [0, 1, 2], [0, 4, -1], [0, -1, -1]])
    values = list_quality.diversity(ranked, labels)
    # Equal labels; none in common; one pair equal and two at 45 degrees; no labels at all.
    third = 1 - (1 + 2 / math.sqrt(2)) / 3
    assert values[:4] == pytest.approx([0, 1, third, 1])
    assert math.isnan(values[4])


def test_a_list_like_the_history_is_calibrated() -> None:
    labels = sparse.csr_array(np.array([[1.0, 0], [0, 1], [1, 1], [0, 0]]))
    histories = sparse.csr_array(
        np.array([[1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 1], [1, 0, 0, 0]])
    )
    ranked = np.array([[1, 0], [2, -1], [0, -1], [0, -1], [3, -1]])
    values = list_quality.miscalibration(ranked, histories, labels)
    # The third list has the first label alone: .995 and .005 against one half each.
    skewed = 0.5 * math.log(0.5 / 0.995) + 0.5 * math.log(0.5 / 0.005)
    assert values[:3] == pytest.approx([0, 0, skewed])
    assert np.isnan(values[3:]).all()
