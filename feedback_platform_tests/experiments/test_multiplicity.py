from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.experiments.multiplicity import holm


def test_the_smallest_is_worth_least_and_none_less_than_the_one_before() -> None:
    # By hand: 4 * .01 = .04, 3 * .02 = .06, 2 * .03 = .06, 1 * .005 first of all: 4 * .005 = .02.
    assert holm([0.02, 0.005, 0.03, 0.04]) == pytest.approx([0.06, 0.02, 0.06, 0.06])
    assert holm([0.03]) == [0.03]
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_adjusting_makes_nothing_surer_and_keeps_the_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)

    by_size = sorted(zip(p_values, adjusted, strict=True))
    assert all(before <= after <= 1 for before, after in by_size)
    assert [after for _, after in by_size] == sorted(adjusted)
    # No adjustment is stricter than Bonferroni's.
    assert all(after <= min(before * len(p_values), 1) + 1e-12 for before, after in by_size)
