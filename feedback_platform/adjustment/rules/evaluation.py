"""One evaluation of the trigger rules, and what the last one found.

The same batch is evaluated once, whoever asks again; other rules are evaluated on it anew.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import orjson

from feedback_platform.adjustment.rules.decision import Verdict
from feedback_platform.adjustment.rules.definition import Rule
from feedback_platform.adjustment.rules.observing import Finding, Observation
from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake

# So many places with too few observations are shown.
MOST_TOO_FEW: Final = 20


@dataclass(frozen=True)
class Row:
    """What was found of a rule at a place, to be shown.

    Attributes:
        rule, scope, metric: what was measured.
        value, low, high: the metric and its interval; None where they could be anything.
        count: observations.
        comparison, threshold: what is out of bounds.
        verdict: what came of it, in words.
    """

    rule: str
    scope: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    count: int
    comparison: str
    threshold: float
    verdict: str


@dataclass(frozen=True)
class Evaluation:
    """What the last evaluation found.

    Attributes:
        batch: the newest batch in the tables; 0 before the first evaluation.
        rules: fingerprint of the rules.
        newest_event: when the newest event happened (ISO 8601, UTC).
        rows: by rule and place.
    """

    batch: int = 0
    rules: str = ""
    newest_event: str = ""
    rows: tuple[Row, ...] = ()


def fingerprint(rules: Sequence[Rule]) -> str:
    """Return sixteen hex digits that two files share only when they say the same."""
    return hashlib.blake2b(repr(rules).encode(), digest_size=8).hexdigest()


def is_new(lake: Lake, rules: Sequence[Rule], batch: int) -> bool:
    """Return whether these rules were not evaluated on this batch yet."""
    last = last_evaluation(lake)
    return (last.batch, last.rules) != (batch, fingerprint(rules))


def last_evaluation(lake: Lake) -> Evaluation:
    """Return what the last evaluation found."""
    content = lake.find(keys.adjustment_evaluation())
    if content is None:
        return Evaluation()
    given: dict[str, Any] = orjson.loads(content)
    rows = tuple(Row(**row) for row in given.pop("rows"))
    return Evaluation(**given, rows=rows)


def keep(
    lake: Lake,
    rules: Sequence[Rule],
    observation: Observation,
    answers: Sequence[tuple[Finding, str]],
) -> Evaluation:
    """Keep what an evaluation found, and return it."""
    evaluation = Evaluation(
        batch=observation.batch,
        rules=fingerprint(rules),
        newest_event=observation.newest.isoformat(),
        rows=tuple(_row(found, answer) for found, answer in _telling(answers)),
    )
    content = orjson.dumps(asdict(evaluation))
    lake.put(keys.adjustment_evaluation(), content, mode="overwrite")
    return evaluation


def _telling(answers: Sequence[tuple[Finding, str]]) -> list[tuple[Finding, str]]:
    """Return what a person wants to see: of the places with too little to say, the largest."""
    too_few = [found for found, answer in answers if answer == Verdict.TOO_FEW]
    largest = sorted(too_few, key=lambda found: found.sample.count, reverse=True)[:MOST_TOO_FEW]
    shown = {id(found) for found in largest}
    return [
        (found, answer)
        for found, answer in answers
        if answer != Verdict.TOO_FEW or id(found) in shown
    ]


def _row(found: Finding, answer: str) -> Row:
    interval = found.judgement.interval
    return Row(
        rule=found.rule.name,
        scope=found.scope,
        metric=found.rule.metric,
        value=found.judgement.value,
        low=interval.low if math.isfinite(interval.low) else None,
        high=interval.high if math.isfinite(interval.high) else None,
        count=found.sample.count,
        comparison=found.rule.comparison.value,
        threshold=found.rule.threshold,
        verdict=answer,
    )
