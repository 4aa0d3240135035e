from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from feedback_platform.adjustment.rules.intervals import (
    EVERYTHING,
    Interval,
    Sample,
    interval_of,
    interval_of_change,
    newcombe,
    wilson,
)

Z = 1.959963985


def sample(users: Iterable[Iterable[float]]) -> Sample:
    """What was observed, user by user."""
    totals = np.array([sum(each) for each in users])
    counts = np.array([len(list(each)) for each in users])
    return Sample(
        users=len(totals),
        count=int(counts.sum()),
        total=float(totals.sum()),
        total_squares=float((totals**2).sum()),
        products=float((totals * counts).sum()),
        count_squares=float((counts**2).sum()),
    )


def once(values: Iterable[float]) -> Sample:
    """What each of as many users did once."""
    return sample([[value] for value in values])


# Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3.
@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilsons_interval_is_that_of_the_tables(
    successes: int, trials: int, low: float, high: float
) -> None:
    found = wilson(successes / trials, trials, Z)

    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


# Newcombe 1998, "Interval estimation for the difference between independent proportions", table II,
# method 10; the difference there is the first less the second.
@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((10, 10), (0, 20), 0.6791, 1.0000),
    ],
)
def test_newcombes_interval_is_that_of_the_tables(
    first: tuple[int, int], second: tuple[int, int], low: float, high: float
) -> None:
    (x, n), (y, m) = first, second

    found = newcombe(y / m, wilson(y / m, m, Z), x / n, wilson(x / n, n, Z))

    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_a_mean_of_users_who_did_it_once_has_students_interval() -> None:
    values = [3.0, 4.0, 4.5, 1.0, 5.0, 2.0, 4.0]

    found = interval_of(once(values), 0.95, is_proportion=False)

    expected = stats.t.interval(0.95, 6, np.mean(values), stats.sem(values))
    assert (found.low, found.high) == pytest.approx(expected)


def test_a_change_of_a_mean_has_welchs_interval() -> None:
    before, after = [3.0, 4.0, 4.5, 1.0, 5.0, 2.0], [4.0, 4.5, 4.0, 5.0, 4.5]

    found = interval_of_change(once(before), once(after), 0.9, is_proportion=False)

    expected = stats.ttest_ind(after, before, equal_var=False).confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_what_one_user_does_is_not_many_observations() -> None:
    alone = once([1.0] * 30 + [0.0] * 70)
    # Ten users, of whom three always click.
    alike = sample([[1.0] * 10] * 3 + [[0.0] * 10] * 7)

    apart = interval_of(alone, 0.95, is_proportion=True)
    together = interval_of(alike, 0.95, is_proportion=True)

    assert alone.value == alike.value == 0.3
    # By hand: the variance of a mean of ten is .3 * .7 / 9, as of nine independent observations.
    expected = wilson(0.3, 9, float(stats.t.ppf(0.975, 9)))
    assert (together.low, together.high) == pytest.approx((expected.low, expected.high))
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_a_ratio_over_users_has_the_variance_of_the_linearised_ratio() -> None:
    users = [[10.0, 20.0], [5.0], [30.0, 10.0, 20.0], [15.0, 15.0]]

    found = interval_of(sample(users), 0.95, is_proportion=False)

    # By hand: the ratio is 125 / 8; residuals are each user's total less ratio times count.
    ratio = 125 / 8
    residuals = [30 - 2 * ratio, 5 - ratio, 60 - 3 * ratio, 30 - 2 * ratio]
    error = math.sqrt(4 / 3 * sum(each**2 for each in residuals)) / 8
    reach = float(stats.t.ppf(0.975, 3)) * error
    assert (found.low, found.high) == pytest.approx((ratio - reach, ratio + reach))


@pytest.mark.parametrize("is_proportion", [True, False])
def test_one_user_says_nothing(*, is_proportion: bool) -> None:
    one, many = sample([[1.0, 0.0, 1.0]]), once([1.0, 0.0, 1.0])

    assert interval_of(one, 0.9, is_proportion=is_proportion) == EVERYTHING
    assert interval_of(Sample(), 0.9, is_proportion=is_proportion) == EVERYTHING
    assert interval_of_change(one, many, 0.9, is_proportion=is_proportion) == EVERYTHING


def test_means_that_do_not_vary_change_by_exactly_so_much() -> None:
    found = interval_of_change(once([4.0] * 5), once([3.0] * 5), 0.99, is_proportion=False)

    assert found == Interval(-1.0, -1.0)


users_of_clicks = st.lists(
    st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=6), min_size=2, max_size=30
)


@given(users_of_clicks, st.floats(0.5, 0.999))
def test_the_interval_of_a_proportion_holds_it_and_stays_within_0_and_1(
    users: list[list[float]], level: float
) -> None:
    measured = sample(users)
    value = measured.value
    assert value is not None

    found = interval_of(measured, level, is_proportion=True)

    assert 0 <= found.low <= value + 1e-12
    assert value - 1e-12 <= found.high <= 1
    wider = interval_of(measured, (1 + level) / 2, is_proportion=True)
    assert wider.low <= found.low + 1e-12
    assert wider.high >= found.high - 1e-12


def test_a_proportion_of_users_who_differ_is_covered_as_often_as_the_level_says() -> None:
    random = np.random.default_rng(3)
    missed = naive = 0
    for _ in range(400):
        rates = random.beta(1, 9, 60)
        counts = random.poisson(15, 60) + 1
        clicks = random.binomial(counts, rates)
        measured = Sample(
            users=60,
            count=int(counts.sum()),
            total=float(clicks.sum()),
            total_squares=float((clicks**2).sum()),
            products=float((clicks * counts).sum()),
            count_squares=float((counts**2).sum()),
        )
        assert measured.value is not None
        found = interval_of(measured, 0.95, is_proportion=True)
        missed += not found.low <= 0.1 <= found.high
        alone = wilson(measured.value, measured.count, Z)
        naive += not alone.low <= 0.1 <= alone.high

    assert missed <= 0.08 * 400
    assert naive >= 0.15 * 400
