"""Whatever users do, a look at an experiment has an answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.experiments.analysis import analyse
from feedback_platform.experiments.decision import decide
from feedback_platform.experiments.definition import Goal, Guard
from feedback_platform.experiments.effects import ANYTHING, Interval
from feedback_platform.experiments.metrics import METRICS
from feedback_platform.experiments.results import results
from feedback_platform.experiments.sums import Sums
from feedback_platform_tests.experiments.arms import DESIGN, experiment, of_shares, sums_of

EVERYTHING = experiment(
    primary=tuple(Goal(name, 0.1) for name in METRICS),
    guards=(Guard("bounce_rate", 0.1),),
    design=replace(DESIGN, minimum_users=2, cuped_window=timedelta(days=7)),
)
numbers = st.sampled_from([0.0, 1.0, 0.1, 3.0, 1e-9, 1e9])


@st.composite
def arms(draw: Any) -> Sums:
    """Users who do anything, nothing, or are not there, with a past or without."""
    users = draw(st.integers(0, 4))
    if users == 0:
        return Sums()
    names = ["total", "count", *draw(st.sampled_from([[], ["total_before", "count_before"]]))]
    one = {name: [draw(numbers) for _ in range(users)] for name in names}
    # Of four users a hundred times as many are made, so that they suffice to say something.
    times = draw(st.sampled_from([1, 100]))
    return sums_of(**{name: values * times for name, values in one.items()})


@given(control=arms(), treatment=arms(), is_over=st.booleans())
def test_no_arms_are_too_odd_to_be_read(*, control: Sums, treatment: Sums, is_over: bool) -> None:
    observed = {name: {"grid": control, "cards": treatment} for name in METRICS}

    look = analyse(EVERYTHING, {"grid": control.users, "cards": treatment.users}, observed)

    for reading in look.readings.values():
        assert reading.fixed.low <= reading.fixed.high
        assert reading.sequential.low <= reading.sequential.high
        assert 0 <= reading.fixed.p_value <= 1
        assert 0 <= reading.sequential.p_value <= 1
        assert all(each == each for each in vars(reading).values())  # noqa: PLR0124 - no NaN
    rows = results(EVERYTHING, look, decide(EVERYTHING, look, is_over=is_over))
    assert len(rows) == len(METRICS)


def test_a_past_is_taken_into_account_only_where_the_design_says_so() -> None:
    users = {
        "grid": sums_of(total=[1, 0, 0, 1, 0] * 20, total_before=[1, 0, 1, 1, 0] * 20),
        "cards": sums_of(total=[1, 1, 0, 1, 0] * 20, total_before=[0, 1, 0, 1, 0] * 20),
    }
    counts = {"grid": 100, "cards": 100}
    definition = experiment(primary=(Goal("clicks_per_user", 0.1),))
    adjusted = replace(definition, design=replace(DESIGN, cuped_window=timedelta(days=7)))

    plain, less = (
        analyse(each, counts, {"clicks_per_user": users}).readings["clicks_per_user", "cards"]
        for each in (definition, adjusted)
    )

    assert plain.effect == pytest.approx(0.2)
    assert plain.effect != less.effect
    assert plain.fixed.high - plain.fixed.low > less.fixed.high - less.fixed.low


def test_where_hardly_anything_has_happened_means_are_told_and_nothing_else() -> None:
    arms_of = {"grid": of_shares(900, 19), "cards": of_shares(900, 20)}

    look = analyse(experiment(), {"grid": 900, "cards": 900}, {"converting_users": arms_of})

    found = look.readings["converting_users", "cards"]
    assert found.effect == pytest.approx(1 / 900)
    assert {found.fixed, found.sequential, found.relative} == {ANYTHING}
    one_more = {"grid": of_shares(900, 20), "cards": of_shares(900, 20)}
    settled = analyse(experiment(), {"grid": 900, "cards": 900}, {"converting_users": one_more})
    assert isinstance(settled.readings["converting_users", "cards"].fixed, Interval)
    assert settled.readings["converting_users", "cards"].fixed != ANYTHING
