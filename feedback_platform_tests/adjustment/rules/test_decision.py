from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.adjustment.rules.decision import (
    Arm,
    Judgement,
    Verdict,
    fired,
    judge,
    span_of,
)
from feedback_platform.adjustment.rules.definition import Comparison
from feedback_platform.adjustment.rules.intervals import Sample
from feedback_platform.adjustment.rules.metrics import SETTLING
from feedback_platform_tests.adjustment.rules.switches import NOON, rule, sample

RULE = rule()
FIRED = fired(NOON, NOON + RULE.cooldown)
LATER = NOON + timedelta(hours=49)


# By hand: Wilson's intervals at 95 % with 999 degrees of freedom are 20/1000 .013 to .031,
# 45/1000 .034 to .060, 60/1000 .047 to .077, 90/1000 .074 to .109.
@pytest.mark.parametrize(
    ("measured", "verdict"),
    [
        (sample(20, 1000), Verdict.FIRES),
        (sample(45, 1000), Verdict.UNSURE),
        (sample(60, 1000), Verdict.FINE),
        (sample(0, 99), Verdict.TOO_FEW),
        (sample(0, 100), Verdict.FIRES),
        (Sample(), Verdict.TOO_FEW),
        # One user says nothing, however much.
        (Sample(1, 1000, 0.0, 0.0, 0.0, 1e6), Verdict.UNSURE),
    ],
)
def test_a_rule_fires_when_the_whole_interval_is_beyond_its_threshold(
    measured: Sample, verdict: Verdict
) -> None:
    assert judge(RULE, Arm(), NOON, measured).verdict is verdict


def test_a_rule_may_watch_for_too_much_as_well() -> None:
    above = rule(metric="bounce_rate", comparison=Comparison.ABOVE, threshold=0.4, rearm=0.3)

    assert judge(above, Arm(), NOON, sample(500, 1000)).verdict is Verdict.FIRES
    assert judge(above, Arm(), NOON, sample(410, 1000)).verdict is Verdict.UNSURE
    assert judge(above, Arm(), NOON, sample(300, 1000)).verdict is Verdict.FINE
    disarmed = fired(NOON, NOON + above.cooldown)
    assert judge(above, disarmed, LATER, sample(290, 1000)).verdict is Verdict.DISARMED
    assert judge(above, disarmed, LATER, sample(200, 1000)).verdict is Verdict.REARMS


@pytest.mark.parametrize(
    ("measured", "verdict"),
    [
        (sample(20, 1000), Verdict.DISARMED),
        (sample(60, 1000), Verdict.DISARMED),
        # All of the interval has to be beyond the second threshold, too.
        (sample(65, 1000), Verdict.DISARMED),
        (sample(90, 1000), Verdict.REARMS),
        (sample(90, 99), Verdict.TOO_FEW),
    ],
)
def test_a_rule_that_has_fired_waits_for_the_metric_to_be_well_again(
    measured: Sample, verdict: Verdict
) -> None:
    assert judge(RULE, FIRED, LATER, measured).verdict is verdict


def test_of_many_places_each_has_to_be_the_surer() -> None:
    measured = sample(34, 1000)

    alone, of_many = judge(RULE, Arm(), NOON, measured), judge(RULE, Arm(), NOON, measured, 20)

    assert (alone.verdict, of_many.verdict) == (Verdict.FIRES, Verdict.UNSURE)
    assert of_many.level == pytest.approx(0.9975)
    assert of_many.interval.high > alone.interval.high


def test_an_armed_rule_is_quiet_until_its_cooldown_is_over() -> None:
    armed = replace(FIRED, is_armed=True)
    bad = sample(20, 1000)

    assert judge(RULE, armed, NOON + timedelta(hours=47), bad).verdict is Verdict.COOLING
    assert judge(RULE, armed, NOON + timedelta(hours=48), bad).verdict is Verdict.FIRES


def test_what_a_rule_has_used_it_does_not_measure_again() -> None:
    fresh = span_of(RULE, Arm(), NOON)
    assert (fresh.begins, fresh.ends) == (
        NOON - SETTLING - timedelta(hours=24),
        NOON - SETTLING,
    )

    soon = span_of(RULE, FIRED, NOON + timedelta(hours=2))
    assert (soon.begins, soon.ends) == (NOON, NOON + timedelta(hours=2) - SETTLING)
    assert span_of(RULE, FIRED, LATER).begins == LATER - SETTLING - timedelta(hours=24)


samples = st.integers(0, 3000).flatmap(
    lambda count: st.integers(0, count).map(lambda clicks: sample(clicks, count))
)


@given(st.lists(st.tuples(st.integers(1, 60), samples), max_size=25))
def test_no_sequence_of_measurements_fires_too_early_too_often_or_unsurely(
    looks: list[tuple[int, Sample]],
) -> None:
    """The state machine, driven by anything at all."""
    arm, now = Arm(), NOON
    last_fired, is_well_since = None, True
    for hours, measured in looks:
        now += timedelta(hours=hours)
        span = span_of(RULE, arm, now)
        judgement: Judgement = judge(RULE, arm, now, measured)
        if judgement.verdict is Verdict.FIRES:
            assert measured.count >= RULE.minimum_sample
            assert judgement.interval.high < RULE.threshold
            assert is_well_since
            if last_fired is not None:
                assert now - last_fired >= RULE.cooldown
                assert span.begins >= last_fired
            arm, last_fired, is_well_since = fired(now, now + RULE.cooldown), now, False
        if judgement.verdict is Verdict.REARMS:
            assert judgement.interval.low > RULE.rearm
            arm, is_well_since = replace(arm, is_armed=True), True
