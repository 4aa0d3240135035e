"""Whether a rule fires: the state of a rule at a place, and what a measurement means in it.

Time here is that of the events. A rule that has fired is disarmed: it fires again only after the
metric has been back beyond the second threshold, and not within its cooldown. What it measures then
begins behind what it knew when it fired, so that no event makes it fire twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from feedback_platform.adjustment.rules.definition import Comparison, Rule
from feedback_platform.adjustment.rules.intervals import Interval, Sample, interval_of
from feedback_platform.adjustment.rules.measurement import Span
from feedback_platform.adjustment.rules.metrics import METRICS


@dataclass(frozen=True)
class Arm:
    """Whether a rule may fire at a place.

    Attributes:
        is_armed: whether it has not fired since the metric was last good.
        since: what happened up to then has been used (UTC).
        cooldown_until: it is quiet before then (UTC).
    """

    is_armed: bool = True
    since: datetime | None = None
    cooldown_until: datetime | None = None


class Verdict(StrEnum):
    """What a measurement means."""

    FIRES = "fires"
    REARMS = "back to normal, armed again"
    TOO_FEW = "too few observations"
    DISARMED = "fired, not back to normal yet"
    COOLING = "in its cooldown"
    UNSURE = "beyond the threshold, not surely"
    FINE = "fine"


@dataclass(frozen=True)
class Judgement:
    """What was measured, and what it means.

    Attributes:
        verdict: the meaning.
        value: the metric; None of nothing.
        interval, level: where it lies, with what confidence.
    """

    verdict: Verdict
    value: float | None
    interval: Interval
    level: float


def span_of(rule: Rule, arm: Arm, newest: datetime) -> Span:
    """Return what a rule measures: its window, without what it has used already.

    Args:
        rule: which one.
        arm: its state at the place.
        newest: when the newest event happened (UTC).
    """
    ends = newest - METRICS[rule.metric].settling
    begins = ends - rule.window
    return Span(begins if arm.since is None else max(begins, arm.since), ends)


def judge(rule: Rule, arm: Arm, now: datetime, sample: Sample, places: int = 1) -> Judgement:
    """Return what a measurement means for a rule at a place.

    Of many places one is beyond the threshold by chance, so each interval is the wider, the more
    there are (Bonferroni): together they have the rule's level.

    Args:
        rule: which one.
        arm: its state there.
        now: when the newest event happened (UTC).
        sample: what was measured in `span_of`.
        places: at how many the rule says anything.
    """
    level = 1 - (1 - rule.level) / places
    is_proportion = METRICS[rule.metric].is_proportion
    interval = interval_of(sample, level, is_proportion=is_proportion)
    return Judgement(_verdict(rule, arm, now, sample, interval), sample.value, interval, level)


def _verdict(rule: Rule, arm: Arm, now: datetime, sample: Sample, interval: Interval) -> Verdict:
    if sample.value is None or sample.count < rule.minimum_sample:
        return Verdict.TOO_FEW
    is_below = rule.comparison is Comparison.BELOW
    is_good = interval.is_above if is_below else interval.is_below
    is_bad = interval.is_below if is_below else interval.is_above
    if not arm.is_armed:
        return Verdict.REARMS if is_good(rule.rearm) else Verdict.DISARMED
    if arm.cooldown_until is not None and now < arm.cooldown_until:
        return Verdict.COOLING
    if is_bad(rule.threshold):
        return Verdict.FIRES
    is_beyond = sample.value < rule.threshold if is_below else sample.value > rule.threshold
    return Verdict.UNSURE if is_beyond else Verdict.FINE


def fired(since: datetime, cooldown_until: datetime) -> Arm:
    """Return the state of a rule that fired at a place, knowing what happened up to a time."""
    return Arm(is_armed=False, since=since, cooldown_until=cooldown_until)
