from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from feedback_platform.experiments.definition import Experiment, Goal, HoldOut, Slot
from feedback_platform.experiments.duration import Plan, plan, reach
from feedback_platform.experiments.metrics import Kind
from feedback_platform.experiments.planning import Baseline
from feedback_platform_tests.experiments.arms import DESIGN, experiment

NOBODY = HoldOut()
ONCE = replace(DESIGN, is_sequential=False)
FIVE_POINTS = Goal("converting_users", 0.05)


def planned(
    definition: Experiment, users: int | None = None, baseline: Baseline | None = None
) -> Plan:
    baseline = baseline or Baseline.of_share(0.2)
    return plan(definition, NOBODY, definition.primary[0], baseline, users)


def test_hold_out_group_and_percentage_all_leave_users_out() -> None:
    # By hand: .95 * .4 * .5.
    assert reach(experiment(slot=Slot("home", 20, 60), percentage=50.0), HoldOut(5.0)) == (
        pytest.approx(0.19)
    )
    assert reach(experiment(), NOBODY) == 1


def test_what_the_design_needs_is_shared_out_by_the_split() -> None:
    halves = experiment(design=ONCE, primary=(FIVE_POINTS,))

    found = planned(halves)

    assert (found.once, found.arms) == (2_060, {"grid": 1_030, "cards": 1_030})
    assert found.needed == 2_060
    assert found.sequential > found.once
    assert (found.available, found.days, found.detectable_effect) == (None, None, None)


def test_a_sequence_tuned_for_the_experiment_needs_fewer() -> None:
    small = experiment(primary=(Goal("converting_users", 0.005),))

    found = planned(small)

    assert found.sequential_tuned < found.sequential
    tuned = replace(small, design=replace(DESIGN, tuned_for=found.tuned_for))
    assert planned(tuned).sequential == found.sequential_tuned


def test_users_that_come_make_days() -> None:
    definition = experiment(design=ONCE, primary=(FIVE_POINTS,), percentage=50.0)

    enough, too_few = planned(definition, 8_240), planned(definition, 1_000)

    # By hand: half of 8,240 is twice 2,060, so half of the 28 days does; 2,060 / 500 * 28 = 115.4.
    assert (enough.available, enough.days) == (4_120, 15)
    assert (too_few.available, too_few.days) == (500, 116)
    assert enough.detectable_effect is not None
    assert too_few.detectable_effect is not None
    assert enough.detectable_effect < 0.05 < too_few.detectable_effect


def test_more_variants_and_more_metrics_take_more_users() -> None:
    names = {name: name for name in "abc"}
    thirds = experiment(
        variants=names, control="a", split=dict.fromkeys(names, 100 / 3), primary=(FIVE_POINTS,)
    )
    two = experiment(primary=(FIVE_POINTS, Goal("clicks_per_user", 0.1)))
    one = planned(experiment(primary=(FIVE_POINTS,)))

    # A third more arms, each of which has to be the surer.
    assert planned(thirds).once > one.once * 1.5
    assert planned(two).once > one.once


def test_a_metric_of_which_less_is_better_is_to_fall() -> None:
    definition = experiment(
        primary=(Goal("bounce_rate", 0.02),), design=replace(ONCE, horizon=timedelta(days=7))
    )

    found = planned(definition, 5_000, Baseline(0.4, 0.3, Kind.RATIO))

    assert found.minimum_effect == -0.02
    assert found.detectable_effect is not None
    assert found.detectable_effect < 0


def test_where_nobody_takes_part_nothing_is_found() -> None:
    found = planned(experiment(percentage=0.0, primary=(FIVE_POINTS,)), 1_000)

    assert (found.available, found.days, found.detectable_effect) == (0, None, None)
