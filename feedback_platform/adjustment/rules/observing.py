"""Everything that one evaluation measures, before anything is changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from feedback_platform.adjustment.rules.book import Adjustment, Book
from feedback_platform.adjustment.rules.decision import Arm, Judgement, judge, span_of
from feedback_platform.adjustment.rules.definition import Each, Guard, Place, Rule, name_of
from feedback_platform.adjustment.rules.guarding import (
    GuardJudgement,
    judge_guard,
    spans_of,
)
from feedback_platform.adjustment.rules.intervals import Sample
from feedback_platform.adjustment.rules.measurement import Query, Span, measure
from feedback_platform.newest_event import newest_event


@dataclass(frozen=True)
class Finding:
    """What was measured of a rule at a place."""

    rule: Rule
    place: Place
    span: Span
    sample: Sample
    judgement: Judgement

    @property
    def scope(self) -> str:
        """The name of the place."""
        return name_of(self.place)


@dataclass(frozen=True)
class GuardFinding:
    """What was measured of a guard, before and after a change."""

    guard: Guard
    place: Place
    before: Sample
    after: Sample
    judgement: GuardJudgement


@dataclass(frozen=True)
class Observation:
    """What one evaluation measured.

    Attributes:
        batch: the newest batch in the tables.
        newest: when the newest event happened (UTC).
        guards: what the guards of each watched adjustment say.
        rules: what each rule found.
    """

    batch: int
    newest: datetime
    guards: Sequence[tuple[Adjustment, Sequence[GuardFinding]]]
    rules: Sequence[Finding]


def observe(query: Query, rules: Sequence[Rule], book: Book, batch: int) -> Observation | None:
    """Measure what rules and guards ask for; None where no event ever happened.

    Args:
        query: runs SQL over the tables.
        rules: which.
        book: the ledger, read.
        batch: the newest batch in the tables.
    """
    newest = newest_event(query)
    if newest is None:
        return None
    return Observation(
        batch=batch,
        newest=newest,
        guards=[
            (adjustment, [_guarded(query, guard, adjustment, newest) for guard in _of(adjustment)])
            for adjustment in book.watched()
        ],
        rules=[found for rule in rules for found in _found(query, rule, book, newest)],
    )


def numbers(sample: Sample) -> dict[str, Any]:
    """Return a sample as evidence."""
    return {
        "numerator": sample.total,
        "denominator": sample.count,
        "users": sample.users,
        "value": sample.value,
    }


def _of(adjustment: Adjustment) -> Sequence[Guard]:
    return adjustment.watch.guards


def _found(query: Query, rule: Rule, book: Book, newest: datetime) -> Iterator[Finding]:
    """Measure a rule everywhere; again where it has used a part of its window already."""
    whole = span_of(rule, Arm(), newest)
    everywhere = measure(query, rule.metric, rule.scope, whole)
    places = sum(sample.count >= rule.minimum_sample for _, sample in everywhere)
    for place, measured in everywhere:
        arm = book.arm(rule.name, name_of(place))
        span, sample = span_of(rule, arm, newest), measured
        if span != whole:
            ((_, sample),) = measure(query, rule.metric, place, span)
        yield Finding(rule, place, span, sample, judge(rule, arm, newest, sample, max(places, 1)))


def _guarded(query: Query, guard: Guard, adjustment: Adjustment, newest: datetime) -> GuardFinding:
    place = {
        name: adjustment.place[name] if isinstance(value, Each) else value
        for name, value in guard.scope.items()
    }
    before, after = (
        measure(query, guard.metric, place, span)[0][1]
        for span in spans_of(guard, adjustment.changed_at, newest)
    )
    judgement = judge_guard(guard, adjustment.changed_at, newest, before, after)
    return GuardFinding(guard, place, before, after, judgement)
