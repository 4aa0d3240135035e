from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from feedback_platform.errors import InvalidInputError
from feedback_platform.monitoring.correlation import Correlation, correlate

Floats = NDArray[np.float64]
Sample = tuple[Floats, Floats, NDArray[np.int64]]
Draw = Callable[[np.random.Generator, int], Sample]


def normal(rho: float) -> Draw:
    """One row a user, jointly normal."""

    def draw(random: np.random.Generator, users: int) -> Sample:
        first = random.standard_normal(users)
        rest = math.sqrt(1 - rho**2) * random.standard_normal(users)
        return first, rho * first + rest, np.arange(users)

    return draw


def skewed(random: np.random.Generator, users: int) -> Sample:
    """Clicks a visit, with a heap at zero, and whether somebody converts."""
    liking = random.standard_normal(users)
    clicks = random.poisson(np.exp(0.8 * liking - 1)) / random.integers(1, 8, users)
    converted = random.random(users) < 1 / (1 + np.exp(2.5 - liking))
    return clicks, converted.astype(np.float64), np.arange(users)


def seen_thrice(random: np.random.Generator, users: int) -> Sample:
    """Three rows a user, which have much in common."""
    liking = np.repeat(random.standard_normal(users), 3)
    first = 0.7 * liking + 0.7 * random.standard_normal(3 * users)
    return first, 0.5 * liking + random.standard_normal(3 * users), np.repeat(np.arange(users), 3)


def certain(found: Correlation | None) -> Correlation:
    assert found is not None
    return found


def coverage(draw: Draw, truth: float, users: int, samples: int) -> float:
    random = np.random.default_rng(7)
    found = [certain(correlate(*draw(random, users))) for _ in range(samples)]
    return sum(each.low <= truth <= each.high for each in found) / samples


def test_it_is_spearman_of_scipy_and_with_many_normal_users_the_interval_is_fishers() -> None:
    first, second, users = normal(0.4)(np.random.default_rng(3), 4_000)
    first[:1_000] = np.rint(first[:1_000])  # ties

    found = certain(correlate(first, second, users))

    assert found.value == pytest.approx(stats.spearmanr(first, second).statistic, abs=1e-12)
    assert (found.users, found.observations) == (4_000, 4_000)
    ranks = (stats.rankdata(first), stats.rankdata(second))
    fisher = stats.pearsonr(*ranks).confidence_interval(0.95)
    assert found.low == pytest.approx(fisher.low, abs=0.003)
    assert found.high == pytest.approx(fisher.high, abs=0.003)


def test_where_fishers_assumptions_fail_the_interval_is_that_of_a_bootstrap() -> None:
    clicks, converted, users = skewed(np.random.default_rng(5), 400)

    found = certain(correlate(clicks, converted, users))

    def spearman(one: Floats, other: Floats) -> float:
        return float(stats.spearmanr(one, other).statistic)

    bootstrap = stats.bootstrap(
        [clicks, converted],
        spearman,
        paired=True,
        vectorized=False,
        n_resamples=500,
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert found.low == pytest.approx(bootstrap.low, abs=0.02)
    assert found.high == pytest.approx(bootstrap.high, abs=0.02)


# Of 600 samples the share of an interval at its nominal 95 % lies within 93 to 97 % but once in 20.
# Spearman's correlation of a jointly normal pair is 6/π · asin(r/2), of Pearson's r; those of the
# others are of four million users.
@pytest.mark.parametrize(
    ("draw", "truth", "users"),
    [
        pytest.param(normal(0.0), 0.0, 200, id="nothing to find"),
        pytest.param(normal(0.6), 6 / math.pi * math.asin(0.3), 200, id="normal"),
        pytest.param(skewed, 0.1346, 300, id="skewed"),
        pytest.param(seen_thrice, 0.3035, 150, id="each user three times"),
    ],
)
def test_the_interval_holds_the_planted_truth_as_often_as_it_says(
    draw: Draw, truth: float, users: int
) -> None:
    assert 0.925 <= coverage(draw, truth, users, samples=600) <= 0.975


def test_rows_of_one_user_are_no_news() -> None:
    first, second, users = normal(0.3)(np.random.default_rng(1), 200)

    once = certain(correlate(first, second, users))
    thrice = certain(correlate(np.tile(first, 3), np.tile(second, 3), np.tile(users, 3)))

    assert thrice.observations == 600
    assert thrice.users == 200
    assert thrice.value == pytest.approx(once.value)
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high))


def test_what_only_a_third_figure_explains_is_gone_when_that_is_taken_out() -> None:
    random = np.random.default_rng(2)
    visits = random.standard_normal(3_000)
    first, second = (visits + random.standard_normal(3_000) for _ in range(2))

    plain = certain(correlate(first, second, np.arange(3_000)))
    partial = certain(correlate(first, second, np.arange(3_000), controls=[visits]))

    assert plain.low > 0.4
    assert abs(partial.value) < 0.06
    ranks = [stats.rankdata(each) for each in (first, second, visits)]
    by_hand = np.linalg.inv(np.corrcoef(ranks))
    expected = -by_hand[0, 1] / math.sqrt(by_hand[0, 0] * by_hand[1, 1])
    assert partial.value == pytest.approx(expected, abs=1e-9)


def test_dates_are_not_compared_with_each_other() -> None:
    # Within each date there is nothing; later everything is higher.
    random = np.random.default_rng(4)
    dates = np.repeat([0, 1], 500)
    first, second = (random.standard_normal(1_000) + 5 * dates for _ in range(2))
    users = np.arange(1_000)

    assert certain(correlate(first, second, users)).low > 0.6
    assert abs(certain(correlate(first, second, users, strata=dates)).value) < 0.1


def test_of_few_users_and_of_what_is_the_same_of_everybody_nothing_is_said() -> None:
    first, second, users = normal(0.9)(np.random.default_rng(1), 49)

    assert correlate(first, second, users) is None
    assert correlate(np.tile(first, 9), np.tile(second, 9), np.tile(users, 9)) is None
    many = np.arange(100)
    assert correlate(np.ones(100), many.astype(np.float64), many) is None
    # The third says it all.
    figures = np.random.default_rng(1).random(100)
    assert correlate(figures, many.astype(np.float64), many, controls=[figures]) is None


def test_figures_that_match_have_no_doubt() -> None:
    figures, users = np.arange(100.0), np.arange(100)

    found = certain(correlate(figures, figures**3, users))

    assert (found.value, found.low, found.high, found.p_value) == pytest.approx((1, 1, 1, 0))


def test_the_p_value_and_the_interval_say_the_same() -> None:
    random = np.random.default_rng(9)
    for rho in (0.0, 0.1, 0.2):
        found = certain(correlate(*normal(rho)(random, 200)))
        assert (found.p_value < 0.05) == (not found.low <= 0 <= found.high)


@given(st.integers(0, 10_000), st.sampled_from([1.0, -1.0]), st.floats(0.1, 10))
def test_any_scale_that_keeps_the_order_finds_the_same(
    seed: int, sign: float, power: float
) -> None:
    random = np.random.default_rng(seed)
    first, second, users = normal(0.5)(random, 60)

    found = certain(correlate(first, second, users))
    scaled = certain(correlate(sign * np.exp(power * first), second, users))

    assert scaled.value == pytest.approx(sign * found.value)
    assert -1 <= found.low <= found.value <= found.high <= 1
    ends = (found.low, found.high) if sign > 0 else (-found.high, -found.low)
    assert (scaled.low, scaled.high) == pytest.approx(ends)


@pytest.mark.parametrize(
    ("first", "complaint"),
    [(np.zeros(59), "different lengths"), (np.full(60, np.nan), "missing or infinite")],
)
def test_figures_that_make_no_sense_are_refused(first: Floats, complaint: str) -> None:
    with pytest.raises(InvalidInputError, match=complaint):
        correlate(first, np.zeros(60), np.arange(60))
