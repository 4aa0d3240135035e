from __future__ import annotations

import numpy as np

from feedback_platform.learning.segment_names import segment_name, still_fits

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


def fits(name: str, shares: list[float]) -> bool:
    return still_fits(name, CATEGORIES, np.array(shares), AVERAGE)


def test_two_that_change_places_leave_the_name_as_it_is() -> None:
    assert fits("Data import & Workflows", [0.1, 0.44, 0.46])
    assert name([0.1, 0.44, 0.46]) == "Workflows & Data import"


def test_a_name_stays_until_another_category_marks_the_segment_more() -> None:
    # 0.30 · ln(0.30 / 0.30) is nothing beside 0.6 · ln 2, so the second has to leave.
    assert not fits("Workflows & Data import", [0.1, 0.30, 0.60])
    assert fits("Workflows", [0.1, 0.44, 0.46])
    assert not fits("Workflows", [0.1, 0.46, 0.44])


def test_a_second_category_leaves_the_name_later_than_it_joins() -> None:
    # 0.38 · ln(0.38 / 0.3) = 0.090 and 0.52 · ln(0.52 / 0.3) = 0.286, a ratio of 0.31.
    assert name([0.1, 0.38, 0.52]) == "Workflows"
    assert fits("Workflows & Data import", [0.1, 0.38, 0.52])


def test_a_number_in_a_name_is_no_part_of_the_character() -> None:
    assert fits("Workflows 2", [0.1, 0.1, 0.8])
    assert fits("Mixed interests 3", [0.41, 0.29, 0.30])
    assert not fits("Mixed interests", [0.1, 0.1, 0.8])


def test_a_title_may_hold_an_ampersand_or_end_in_a_number() -> None:
    titles, average = ("r_&_d", "top 10", "d"), np.full(3, 1 / 3)
    assert still_fits("R & d & Top 10", titles, np.array([0.5, 0.45, 0.05]), average)
    assert still_fits("Top 10", titles, np.array([0.1, 0.8, 0.1]), average)


def test_a_name_of_categories_that_are_no_more_does_not_fit() -> None:
    assert not fits("Reports", [0.1, 0.1, 0.8])
    assert not fits("Workflows & Reports", [0.1, 0.1, 0.8])
