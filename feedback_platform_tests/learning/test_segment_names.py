from __future__ import annotations

import numpy as np

from feedback_platform.learning.segment_names import segment_name

CATEGORIES = ("analytics", "data_import", "workflows")
AVERAGE = np.array([0.4, 0.3, 0.3])


def name(shares: list[float], taken: list[str] | None = None) -> str:
    return segment_name(CATEGORIES, np.array(shares), AVERAGE, taken=taken or [])


def test_one_category_that_stands_out_is_the_name() -> None:
    assert name([0.1, 0.1, 0.8]) == "Workflows"


def test_two_that_stand_out_alike_are_both_in_the_name() -> None:
    assert name([0.1, 0.45, 0.45]) == "Data import & Workflows"


def test_a_high_lift_on_next_to_nothing_makes_no_name() -> None:
    average = np.array([0.501, 0.498, 0.001])
    shares = np.array([0.69, 0.302, 0.008])
    assert segment_name(CATEGORIES, shares, average) == "Analytics"


def test_average_tastes_are_mixed() -> None:
    assert name([0.41, 0.29, 0.30]) == "Mixed interests"


def test_a_taken_name_is_kept_apart() -> None:
    assert name([0.0, 0.35, 0.65], ["Workflows"]) == "Workflows & Data import"
    assert name([0.1, 0.1, 0.8], ["Workflows"]) == "Workflows 2"
    assert name([0.1, 0.1, 0.8], ["Workflows", "Workflows 2"]) == "Workflows 3"
