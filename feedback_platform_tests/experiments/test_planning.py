from __future__ import annotations

from dataclasses import replace

import pytest
import tea_tasting
from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.errors import InvalidInputError
from feedback_platform.experiments.planning import (
    Baseline,
    Shares,
    detectable_effect,
    users_needed,
    users_needed_sequentially,
)
from feedback_platform_tests.experiments.arms import DESIGN

HALVES = Shares()
FIXED = replace(DESIGN, is_sequential=False)


def test_five_points_on_twenty_percent_take_1030_users_an_arm() -> None:
    needed = users_needed(Baseline.of_share(0.2), 0.05, DESIGN, HALVES)

    assert round(needed / 2) == 1_030


def test_a_mean_takes_as_many_users_as_tea_tasting_says() -> None:
    metric = tea_tasting.Mean(
        "orders", effect_size=0.05, alpha=0.05, power=0.8, ratio=1, use_t=False
    )
    users = tea_tasting.make_users_data(rng=42, orders_uplift=0.0, revenue_uplift=0.0)
    orders = users["orders"].to_pandas()
    (wanted,) = metric.solve_power(users, "n_obs")

    found = users_needed(Baseline(orders.mean(), orders.var()), 0.05, DESIGN, HALVES)

    assert found == pytest.approx(wanted.n_obs, abs=1)


def test_unequal_arms_take_more_users_than_halves() -> None:
    share = Baseline.of_share(0.2)
    # By hand, with equal variances: 1 / (4 * .9 * .1) = 2.78 times as many.
    halves = users_needed(Baseline(0, 1), 0.1, DESIGN, HALVES)
    tenth = users_needed(Baseline(0, 1), 0.1, DESIGN, Shares(0.9, 0.1))

    assert tenth / halves == pytest.approx(1 / 0.36)
    assert users_needed(share, 0.05, DESIGN, Shares(1 / 3, 1 / 3)) == pytest.approx(
        users_needed(share, 0.05, DESIGN, HALVES) * 1.5
    )


def test_what_the_past_explains_need_not_be_found() -> None:
    plain, explained = Baseline.of_share(0.2), Baseline.of_share(0.2).explained(0.6)

    ratio = users_needed(explained, 0.05, DESIGN, HALVES) / users_needed(
        plain, 0.05, DESIGN, HALVES
    )

    # By hand: 1 - .6 ** 2.
    assert ratio == pytest.approx(0.64)


def test_more_comparisons_take_more_users() -> None:
    for needed in (users_needed, users_needed_sequentially):
        one = needed(Baseline(0, 1), 0.1, DESIGN, HALVES)
        assert needed(Baseline(0, 1), 0.1, DESIGN, HALVES, 6) > one


@given(
    mean=st.floats(0.02, 0.9),
    effect=st.floats(0.005, 0.09),
    tuned_for=st.sampled_from([500, 5_000, 100_000]),
    is_sequential=st.booleans(),
)
def test_what_so_many_users_can_find_takes_so_many_users(
    *, mean: float, effect: float, tuned_for: int, is_sequential: bool
) -> None:
    baseline = Baseline.of_share(mean)
    design = replace(DESIGN, tuned_for=tuned_for, is_sequential=is_sequential)
    needed = users_needed_sequentially if is_sequential else users_needed
    users = needed(baseline, effect, design, HALVES)

    found = detectable_effect(baseline, users, design, HALVES)

    assert found == pytest.approx(effect, rel=1e-3)
    assert users_needed_sequentially(baseline, effect, design, HALVES) > users_needed(
        baseline, effect, design, HALVES
    )


def test_a_metric_that_is_to_fall_is_planned_downwards() -> None:
    found = detectable_effect(Baseline.of_share(0.3), 2_000, FIXED, HALVES, is_up=False)

    assert found is not None
    assert -0.06 < found < -0.04
    assert detectable_effect(Baseline.of_share(0.02), 50, FIXED, HALVES, is_up=False) is None


def test_a_share_stays_between_nothing_and_everybody() -> None:
    with pytest.raises(InvalidInputError, match=r"0\.98 cannot change by \+0\.05.* smaller"):
        users_needed(Baseline.of_share(0.98), 0.05, DESIGN, HALVES)
