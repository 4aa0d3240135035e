from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.multiplicity import holm


def test_the_smallest_is_worth_least_and_none_less_than_the_one_before() -> None:
    # By hand: 4 * .01 = .04, 3 * .02 = .06, 2 * .03 = .06, 1 * .005 first of all: 4 * .005 = .02.
    assert holm([0.02, 0.005, 0.03, 0.04]) == pytest.approx([0.06, 0.02, 0.06, 0.06])
    assert holm([0.03]) == [0.03]
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


@pytest.mark.parametrize(
    ("p_values", "level", "rejected"),
    [
        # .001 <= .05 / 4, .012 <= .05 / 3, .02 <= .05 / 2, .9 > .05.
        ([0.001, 0.02, 0.012, 0.9], 0.05, [True, True, True, False]),
        ([0.001, 0.03, 0.02], 0.05, [True, True, True]),
        ([0.02, 0.01], 0.02, [True, True]),
        ([0.02, 0.011], 0.02, [False, False]),
    ],
)
def test_what_is_found_at_a_level_ends_with_the_first_test_that_finds_nothing(
    p_values: list[float], level: float, rejected: list[bool]
) -> None:
    assert [each <= level for each in holm(p_values)] == rejected


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_adjusting_makes_nothing_surer_and_keeps_the_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)

    by_size = sorted(zip(p_values, adjusted, strict=True))
    assert all(before <= after <= 1 for before, after in by_size)
    assert [after for _, after in by_size] == sorted(adjusted)
    # No adjustment is stricter than Bonferroni's.
    assert all(after <= min(before * len(p_values), 1) + 1e-12 for before, after in by_size)
