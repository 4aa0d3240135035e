from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.off_policy import (
    Estimator,
    LoggedImpressions,
    estimate,
    value_difference,
)

ESTIMATORS = get_args(Estimator)


def floats(*values: float) -> NDArray[np.float64]:
    return np.array(values, dtype=np.float64)


def impressions(**changes: Any) -> LoggedImpressions:
    """Four impressions: weights of 2, 0.5, 1 and 0; a reward of 1 for the first and the third."""
    logged = LoggedImpressions(
        rewards=floats(1, 0, 1, 0),
        propensities=floats(0.25, 0.5, 0.5, 0.5),
        target=floats(0.5, 0.25, 0.5, 0),
        units=np.arange(4),
        predicted=floats(0.5, 0.5, 0.5, 0.5),
        predicted_target=floats(0.4, 0.4, 0.6, 0.6),
    )
    return replace(logged, **changes)


@pytest.mark.parametrize(
    ("estimator", "by_hand"),
    [
        ("inverse_propensity", (2 + 1) / 4),
        ("self_normalised", (2 + 1) / (2 + 0.5 + 1 + 0)),
        ("doubly_robust", (0.4 + 2 * 0.5 + 0.4 - 0.5 * 0.5 + 0.6 + 0.5 + 0.6) / 4),
    ],
)
def test_estimates_are_those_of_a_hand(estimator: Estimator, by_hand: float) -> None:
    found = estimate(impressions(), estimator, seed=1)

    assert found.value == pytest.approx(by_hand)
    assert found.mean_weight == pytest.approx(3.5 / 4)
    assert found.effective_impressions == pytest.approx(3.5**2 / (4 + 0.25 + 1))


def test_weights_are_cut_where_it_is_asked_for() -> None:
    found = estimate(impressions(), "inverse_propensity", seed=1, largest_weight=1)

    assert found.value == pytest.approx((1 + 1) / 4)


@given(
    st.lists(st.tuples(st.integers(1, 5), st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=6)
)
def test_where_the_logs_are_as_the_propensities_say_the_estimate_is_the_other_policys_value(
    actions: list[tuple[int, float, float]],
) -> None:
    """Each action is in the logs exactly as often as its propensity says, with its own reward."""
    counts = np.array([count for count, _, _ in actions])
    rewards = np.array([reward for _, reward, _ in actions])
    liking = np.array([weight + 0.01 for _, _, weight in actions])
    target = liking / liking.sum()
    logged = LoggedImpressions(
        rewards=np.repeat(rewards, counts),
        propensities=np.repeat(counts / counts.sum(), counts),
        target=np.repeat(target, counts),
        units=np.arange(counts.sum()),
        # A model that knows nothing.
        predicted=np.zeros(counts.sum()),
        predicted_target=np.zeros(counts.sum()),
    )

    for estimator in ESTIMATORS:
        assert estimate(logged, estimator, seed=1).value == pytest.approx(float(target @ rewards))


@pytest.mark.parametrize("estimator", ["inverse_propensity", "self_normalised"])
def test_the_policy_in_force_earns_what_it_earned(estimator: Estimator) -> None:
    logged = impressions(target=impressions().propensities)

    assert estimate(logged, estimator, seed=1).value == 0.5


def test_a_model_that_is_right_needs_no_right_propensities() -> None:
    rewards = impressions().rewards
    logged = impressions(predicted=rewards, propensities=floats(0.9, 0.1, 0.2, 0.3))

    found = estimate(logged, "doubly_robust", seed=1)

    assert found.value == pytest.approx(0.5)


def test_the_interval_is_wider_where_impressions_are_of_few_people() -> None:
    generator = np.random.default_rng(5)
    taste = generator.random(40) < 0.3
    rewards = np.repeat(taste, 50).astype(np.float64)
    half = np.full(len(rewards), 0.5)
    alone = LoggedImpressions(rewards, half, half, np.arange(len(rewards)))
    together = replace(alone, units=np.repeat(np.arange(40), 50))

    narrow = estimate(alone, "inverse_propensity", seed=1)
    wide = estimate(together, "inverse_propensity", seed=1)

    assert wide.value == narrow.value
    # Fifty equal impressions of each person are one piece of evidence: the root of 50 wider.
    assert (wide.high - wide.low) / (narrow.high - narrow.low) == pytest.approx(50**0.5, rel=0.1)


def test_two_policies_that_mostly_agree_are_told_apart_by_where_they_do_not() -> None:
    generator = np.random.default_rng(5)
    rewards = (generator.random(4_000) < 0.3).astype(np.float64)
    half = np.full(len(rewards), 0.5)
    first = LoggedImpressions(rewards, half, half, np.arange(len(rewards)))
    # The second shows a hundredth of what was not rewarded a little more often.
    more = half + 0.2 * ((rewards == 0) & (np.arange(len(rewards)) % 100 == 0))
    second = replace(first, target=more)

    gain = value_difference(first, second, "self_normalised", seed=1)
    apart = [estimate(each, "self_normalised", seed=1) for each in (first, second)]

    assert gain.mean == pytest.approx(apart[0].value - apart[1].value)
    assert 0 < gain.low < gain.mean < gain.high
    # The interval of either by itself is ten times as wide.
    assert (gain.high - gain.low) * 10 < apart[0].high - apart[0].low


def test_only_policies_beside_the_same_logs_are_compared() -> None:
    with pytest.raises(InvalidInputError, match="the same impressions"):
        value_difference(
            impressions(), impressions(rewards=floats(1, 1, 1, 0)), "self_normalised", seed=1
        )


def test_real_logs_of_one_policy_foretell_what_another_earned(shared_data: Path) -> None:
    """Open Bandit: Thompson sampling's logs, and those of the uniform policy in the same week."""
    logs = {
        name: pl.read_csv(shared_data / "open-bandit-small" / name / "men.csv.gz")
        for name in ("bts", "random")
    }
    adaptive = logs["bts"]
    logged = LoggedImpressions(
        rewards=adaptive["click"].cast(pl.Float64).to_numpy(),
        propensities=adaptive["propensity_score"].to_numpy(),
        target=np.full(adaptive.height, 1 / 34),
        units=np.arange(adaptive.height),
    )
    earned = logs["random"]["click"].sum() / logs["random"].height

    found = estimate(logged, "self_normalised", seed=1)

    assert earned == 0.0046
    assert found.low < earned < found.high
    # Not what the adaptive policy itself earned.
    assert found.high < adaptive["click"].sum() / adaptive.height


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": floats(1)}, "need a value each"),
        ({"rewards": floats(1, 0, np.nan, 0)}, "rewards that are not finite"),
        ({"propensities": floats(0.5, 0, 0.5, 0.5)}, "lies above 0"),
        ({"target": floats(0.5, 1.5, 0, 0)}, "from 0 to 1"),
        ({"predicted": None}, "one of the two is missing"),
    ],
)
def test_what_is_no_log_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        impressions(**changes)


def test_what_the_logs_cannot_say_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="say nothing"):
        estimate(impressions(target=np.zeros(4)), "self_normalised", seed=1)
    with pytest.raises(InvalidInputError, match="needs a model's predictions"):
        estimate(impressions(predicted=None, predicted_target=None), "doubly_robust", seed=1)
