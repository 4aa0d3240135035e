"""Whether a change has made things worse: each guard after it, compared with before it.

A guard that is surely worse by more than its margin condemns the change at once. It clears it once
its whole window is over and it is surely not so. What it cannot tell by then is looked at again
with every batch, over all that has happened since, until the watch expires.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from feedback_platform.adjustment.rules.definition import Guard, OnExpiry, Watch
from feedback_platform.adjustment.rules.intervals import (
    Interval,
    Sample,
    interval_of_change,
)
from feedback_platform.adjustment.rules.measurement import Span
from feedback_platform.adjustment.rules.metrics import METRICS


class Outcome(StrEnum):
    """What becomes of a change."""

    WORSE = "worse"
    HOLDS = "holds"
    OPEN = "open"
    EXPIRED = "expired"


@dataclass(frozen=True)
class GuardJudgement:
    """What one guard says.

    Attributes:
        outcome: worse, holds or open.
        change: of the metric, after less before.
    """

    outcome: Outcome
    change: Interval


def spans_of(guard: Guard, changed_at: datetime, newest: datetime) -> tuple[Span, Span]:
    """Return the times before and after a change that a guard compares.

    Args:
        guard: which one.
        changed_at: when the newest event before the change happened (UTC).
        newest: when the newest event happened (UTC).
    """
    ends = newest - METRICS[guard.metric].settling
    return Span(changed_at - guard.window, changed_at), Span(changed_at, ends)


def judge_guard(
    guard: Guard, changed_at: datetime, newest: datetime, before: Sample, after: Sample
) -> GuardJudgement:
    """Return what a guard says of a change.

    Args:
        guard: which one.
        changed_at, newest: see `spans_of`.
        before, after: what was measured in these times.
    """
    metric = METRICS[guard.metric]
    change = interval_of_change(before, after, guard.level, is_proportion=metric.is_proportion)
    # By how much it got worse, whichever way that is.
    harm = Interval(-change.high, -change.low) if metric.is_better_high else change
    if min(before.count, after.count) < guard.minimum_sample:
        outcome = Outcome.OPEN
    elif harm.is_above(guard.margin):
        outcome = Outcome.WORSE
    elif harm.is_below(guard.margin) and newest - metric.settling >= changed_at + guard.window:
        outcome = Outcome.HOLDS
    else:
        outcome = Outcome.OPEN
    return GuardJudgement(outcome, change)


def conclude(
    watch: Watch, changed_at: datetime, newest: datetime, outcomes: Sequence[Outcome]
) -> Outcome:
    """Return what becomes of a change when its guards say so much.

    Args:
        watch: how the change is looked after.
        changed_at, newest: see `spans_of`.
        outcomes: of its guards.

    Returns:
        `WORSE` and `EXPIRED`: it is undone. `HOLDS`: it stays, and is watched no longer.
    """
    if Outcome.WORSE in outcomes:
        return Outcome.WORSE
    if outcomes and all(outcome is Outcome.HOLDS for outcome in outcomes):
        return Outcome.HOLDS
    if watch.expires_after is None or newest < changed_at + watch.expires_after:
        return Outcome.OPEN if outcomes or watch.expires_after is not None else Outcome.HOLDS
    return Outcome.EXPIRED if watch.on_expiry is OnExpiry.UNDO else Outcome.HOLDS
