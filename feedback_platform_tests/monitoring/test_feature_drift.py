from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.monitoring.feature_drift import (
    FeatureLook,
    compare,
    drift_events,
    ks_distance,
    ks_p_value,
    stability_index,
)
from feedback_platform.monitoring.feature_reference import (
    Distribution,
    FeatureReference,
    described,
    reference_of,
)
from feedback_platform.monitoring.monitoring_rules import default_monitoring_rules

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RULES = default_monitoring_rules().features
Sample = dict[str, np.ndarray]


def of(values: np.ndarray, edges: tuple[float, ...]) -> Distribution:
    return described(pl.Series(values), edges)


def reference(samples: Sample) -> FeatureReference:
    return reference_of({"user": pl.DataFrame(samples)}, NOON)


def look(
    before: FeatureReference,
    samples: Sample,
    earlier: list[FeatureLook] | None = None,
    version: str = "v1",
    hours: int = 6,
) -> list[FeatureLook]:
    now = {
        f"user.{name}": of(values, before.features[f"user.{name}"].edges)
        for name, values in samples.items()
    }
    return compare(
        before,
        now,
        earlier or [],
        version=version,
        measured_at=NOON + timedelta(hours=hours),
        rules=RULES,
    )


@pytest.mark.parametrize("seed", range(4))
def test_distance_and_p_value_are_those_of_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    before, after = rng.normal(0, 1, 3_000), rng.normal(0.1, 1.1, 2_000)
    (first,) = reference({"a": before}).features.values()
    second = of(after, first.edges)

    exact = scipy.stats.ks_2samp(before, after, method="asymp")
    distance = ks_distance(first, second)

    # At the edges only, between which lies half a per cent.
    assert exact.statistic - 0.005 <= distance <= exact.statistic + 1e-12
    limit = scipy.stats.kstwobign.sf(math.sqrt(3_000 * 2_000 / 5_000) * distance)
    assert ks_p_value(distance, first, second) == pytest.approx(limit, rel=1e-9)
    assert ks_p_value(exact.statistic, first, second) == pytest.approx(exact.pvalue, rel=0.2)


def test_the_distance_of_a_flag_is_the_difference_of_its_shares() -> None:
    before, after = (
        Distribution((0, 1), (60, 40, 0), 0, 0.4),
        Distribution((0, 1), (75, 25, 0), 0, 0),
    )

    assert ks_distance(before, after) == pytest.approx(0.15)


def test_the_stability_index_of_two_halves_is_that_of_the_formula() -> None:
    before = Distribution((0, 1), (5_000, 5_000, 0), 0, 0.5)
    after = Distribution((0, 1), (8_000, 2_000, 0), 0, 0.2)

    # (.5 - .8) ln(.5 / .8) + (.5 - .2) ln(.5 / .2); half a value in each part is a trifle.
    assert stability_index(before, after) == pytest.approx(0.4159, abs=1e-3)


def test_that_values_are_missing_now_is_a_shift_by_the_index_alone() -> None:
    before = Distribution((0, 1), (5_000, 5_000, 0), 0, 0.5)
    after = Distribution((0, 1), (2_500, 2_500, 0), 5_000, 0.5)

    assert ks_distance(before, after) == 0
    assert stability_index(before, after) > 1


@given(
    counts=st.lists(
        st.tuples(st.integers(0, 1_000), st.integers(0, 1_000)), min_size=3, max_size=40
    )
)
def test_both_figures_are_zero_for_equals_and_never_below(counts: list[tuple[int, int]]) -> None:
    edges = tuple(map(float, range(len(counts) - 1)))
    before, after = (
        Distribution(edges, (*(pair[side] for pair in counts),), 0, 0.0) for side in (0, 1)
    )

    assert 0 <= ks_distance(before, after) <= 1
    assert ks_distance(before, before) == 0
    if before.size:
        assert stability_index(before, after) >= 0
        assert stability_index(before, before) == 0


def test_a_trifle_is_significant_with_many_users_and_yet_no_drift() -> None:
    rng = np.random.default_rng(5)
    before = reference({"a": rng.normal(0, 1, 50_000)})

    (found,) = look(before, {"a": rng.normal(0.08, 1, 50_000)})

    assert found.ks_p_value < 1e-6
    assert not found.is_off


def test_a_feature_has_drifted_when_two_looks_in_a_row_say_so() -> None:
    rng = np.random.default_rng(6)
    before = reference({"a": rng.normal(0, 1, 5_000), "b": rng.normal(0, 1, 5_000)})

    first = look(before, {"a": rng.normal(0.5, 1, 5_000), "b": rng.normal(0, 1, 5_000)})
    assert [(each.is_off, each.is_drifted) for each in first] == [(True, False), (False, False)]
    assert drift_events(first, RULES) == []

    second = look(
        before,
        {"a": rng.normal(0.5, 1, 5_000), "b": rng.normal(0, 1, 5_000)},
        first,
        hours=12,
    )
    (event,) = drift_events(second, RULES)
    assert (event.stream, event.method, event.width) == ("feature:user.a", "ks", 5_000)
    assert event.detected_at == NOON + timedelta(hours=12)
    assert (event.before_mean, event.after_mean) == pytest.approx((0, 0.5), abs=0.05)


def test_a_look_between_that_finds_nothing_and_a_new_model_begin_anew() -> None:
    rng = np.random.default_rng(7)
    before = reference({"a": rng.normal(0, 1, 5_000)})
    shifted = {"a": rng.normal(0.5, 1, 5_000)}
    off = look(before, shifted)
    fine = look(before, {"a": rng.normal(0, 1, 5_000)}, off, hours=12)

    assert not look(before, shifted, [*off, *fine], hours=18)[0].is_drifted
    assert not look(before, shifted, off, version="v2", hours=18)[0].is_drifted
    assert look(before, shifted, [*fine, *off], hours=18)[0].is_drifted


def test_the_same_drift_has_the_same_id_until_there_is_another_model() -> None:
    rng = np.random.default_rng(8)
    before = reference({"a": rng.normal(0, 1, 5_000)})
    shifted = {"a": rng.normal(0.5, 1, 5_000)}
    first, second = (
        replace(look(before, shifted, hours=hours)[0], is_drifted=True) for hours in (6, 12)
    )

    events = drift_events([first, second, replace(second, reference_version="v2")], RULES)

    assert events[0].event_id == events[1].event_id != events[2].event_id


def test_of_few_users_nothing_is_said() -> None:
    rng = np.random.default_rng(9)
    before = reference({"a": rng.normal(0, 1, 5_000)})

    assert look(before, {"a": rng.normal(3, 1, RULES.smallest_sample - 1)}) == []


def test_forty_steady_features_raise_no_alarm_at_twenty_looks() -> None:
    rng = np.random.default_rng(10)
    names = [f"f{number}" for number in range(40)]
    before = reference({name: rng.normal(0, 1, 1_000) for name in names})
    earlier: list[FeatureLook] = []
    alarms = rejections = 0

    for hours in range(20):
        found = look(
            before, {name: rng.normal(0, 1, 1_000) for name in names}, earlier, hours=hours
        )
        alarms += sum(each.is_off for each in found)
        rejections += sum(each.ks_p_value < 0.01 for each in found)
        earlier = found

    assert alarms == 0
    # Each feature by itself at the same level would have cried, time and again.
    assert rejections > 3
