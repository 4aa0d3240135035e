from __future__ import annotations

from datetime import timedelta

import pytest

from feedback_platform.adjustment.rules.definition import OnExpiry, Watch
from feedback_platform.adjustment.rules.guarding import (
    Outcome,
    conclude,
    judge_guard,
    spans_of,
)
from feedback_platform.adjustment.rules.intervals import Sample
from feedback_platform.adjustment.rules.metrics import SETTLING
from feedback_platform_tests.adjustment.rules.switches import NOON, guard, sample

SOON = NOON + timedelta(hours=6)
LATER = NOON + timedelta(hours=25)
NORMAL = sample(300, 1000)


@pytest.mark.parametrize(
    ("after", "soon", "later"),
    [
        # More bounces by ten points: by six at least.
        (sample(450, 1000), Outcome.WORSE, Outcome.WORSE),
        (sample(340, 1000), Outcome.OPEN, Outcome.OPEN),
        (sample(290, 1000), Outcome.OPEN, Outcome.HOLDS),
        (sample(99, 99), Outcome.OPEN, Outcome.OPEN),
    ],
)
def test_harm_counts_at_once_and_its_absence_once_the_window_is_over(
    after: Sample, soon: Outcome, later: Outcome
) -> None:
    assert judge_guard(guard(), NOON, SOON, NORMAL, after).outcome is soon
    assert judge_guard(guard(), NOON, LATER, NORMAL, after).outcome is later


def test_less_of_what_is_good_is_harm() -> None:
    clicks = guard(metric="click_through_rate", margin=0.01)
    before = sample(100, 2000)

    assert judge_guard(clicks, NOON, SOON, before, sample(40, 2000)).outcome is Outcome.WORSE
    assert judge_guard(clicks, NOON, LATER, before, sample(160, 2000)).outcome is Outcome.HOLDS


def test_as_long_before_a_change_is_compared_with_what_has_settled_after_it() -> None:
    before, after = spans_of(guard(), NOON, LATER)

    assert (before.begins, before.ends) == (NOON - timedelta(hours=24), NOON)
    assert (after.begins, after.ends) == (NOON, LATER - SETTLING)


UNDO = Watch((guard(),), timedelta(hours=48), OnExpiry.UNDO)
KEEP = Watch((guard(),), timedelta(hours=48), OnExpiry.KEEP)
FOR_A_WHILE = Watch((), timedelta(hours=48), OnExpiry.UNDO)


@pytest.mark.parametrize(
    ("watch", "hours", "outcomes", "expected"),
    [
        (UNDO, 1, [Outcome.HOLDS, Outcome.WORSE], Outcome.WORSE),
        (UNDO, 1, [Outcome.HOLDS, Outcome.HOLDS], Outcome.HOLDS),
        (UNDO, 47, [Outcome.HOLDS, Outcome.OPEN], Outcome.OPEN),
        (UNDO, 48, [Outcome.HOLDS, Outcome.OPEN], Outcome.EXPIRED),
        (KEEP, 48, [Outcome.OPEN], Outcome.HOLDS),
        (Watch((guard(),)), 9_999, [Outcome.OPEN], Outcome.OPEN),
        (FOR_A_WHILE, 47, [], Outcome.OPEN),
        (FOR_A_WHILE, 48, [], Outcome.EXPIRED),
    ],
)
def test_one_guard_condemns_all_together_clear_and_time_decides_the_rest(
    watch: Watch, hours: int, outcomes: list[Outcome], expected: Outcome
) -> None:
    assert conclude(watch, NOON, NOON + timedelta(hours=hours), outcomes) is expected
