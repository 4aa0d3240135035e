from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.experiments.effects import ANYTHING, Difference, relative
from feedback_platform.experiments.estimates import estimate_arms
from feedback_platform.experiments.metrics import Kind
from feedback_platform.experiments.sequential import any_time, breadth, tuning
from feedback_platform_tests.experiments.arms import of_shares

differences = st.builds(
    Difference,
    effect=st.floats(-5, 5),
    standard_error=st.floats(1e-3, 10),
    users=st.integers(40, 10_000_000),
    freedom=st.just(100.0),
)


def test_a_relative_difference_is_read_as_growthbook_reads_it() -> None:
    arms = estimate_arms(of_shares(3000, 1396), of_shares(3461, 2422), Kind.SHARE)
    assert arms is not None
    found = relative(*arms)
    assert found is not None

    read = any_time(found, alpha=0.05, tuned_for=5000)

    assert found.effect == pytest.approx(0.50386, abs=5e-6)
    assert (read.low, read.high) == pytest.approx((0.40098, 0.60675), abs=5e-6)


def test_the_sequence_is_narrowest_where_it_is_tuned_to() -> None:
    """Compared with sequences that are tuned to other numbers of users."""

    def reach(tuned_for: int) -> float:
        return breadth(20_000, 0.05, tuning(0.05, tuned_for))

    assert reach(20_000) < min(reach(10_000), reach(40_000))
    # By hand: eq. 161 is an approximation, which the neighbourhood shows to be a good one.
    assert reach(20_000) < reach(19_000) * 1.0005
    assert reach(20_000) < reach(21_000) * 1.0005


def test_what_nothing_is_known_of_may_be_anything() -> None:
    assert any_time(None, alpha=0.05, tuned_for=5000) == ANYTHING


@given(differences, st.sampled_from([0.2, 0.05, 0.01]), st.sampled_from([500, 5_000, 1_000_000]))
def test_the_p_value_is_below_alpha_exactly_when_zero_is_left_out(
    difference: Difference, alpha: float, tuned_for: int
) -> None:
    read = any_time(difference, alpha, tuned_for)

    assert read.low <= difference.effect <= read.high
    if not math.isclose(read.p_value, alpha, rel_tol=1e-9):
        assert (read.p_value < alpha) == read.excludes(0)


@given(differences, st.floats(1.01, 3))
def test_an_effect_that_is_larger_is_surer(difference: Difference, times: float) -> None:
    larger = Difference(
        difference.effect * times, difference.standard_error, difference.users, difference.freedom
    )

    assert any_time(larger, 0.05, 5000).p_value <= any_time(difference, 0.05, 5000).p_value


@given(st.integers(40, 10**9), st.sampled_from([500, 5_000, 10**6]))
def test_reading_at_any_time_costs_at_least_what_reading_once_costs(
    users: int, tuned_for: int
) -> None:
    assert breadth(users, 0.05, tuning(0.05, tuned_for)) > 1.96
