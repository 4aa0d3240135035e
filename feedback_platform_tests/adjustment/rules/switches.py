"""Flags and a world of measurements, small enough to see through."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from feedback_platform.adjustment.rules.changes import CannotChangeError
from feedback_platform.adjustment.rules.decision import judge, span_of
from feedback_platform.adjustment.rules.definition import (
    EACH,
    Action,
    Comparison,
    Guard,
    Kind,
    Place,
    Rule,
    Watch,
    name_of,
)
from feedback_platform.adjustment.rules.guarding import judge_guard
from feedback_platform.adjustment.rules.intervals import Sample
from feedback_platform.adjustment.rules.observing import Finding, GuardFinding, Observation

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOME: Place = {"placement": "home"}


@dataclass
class MemoryFlags:
    """Flags that remember each switch."""

    variants: dict[str, str] = field(default_factory=dict)
    switches: list[tuple[str, str, str]] = field(default_factory=list)
    switched: list[tuple[str, str, str]] = field(default_factory=list)

    def read(self, flag: str) -> str | None:
        return self.variants.get(flag)

    def has_switched(self, flag: str, variant: str, *, who: str) -> bool:
        return (flag, variant, who) in self.switched

    def switch(self, flag: str, variant: str, *, who: str, why: str, expected: str) -> str:
        before = self.variants[flag]
        if before != expected:
            raise CannotChangeError(f"{flag} is {before}, not {expected}")
        assert who.startswith("rule:")
        assert 0 < len(why) <= 1_000
        self.variants[flag] = variant
        self.switches.append((flag, before, variant))
        self.switched.append((flag, variant, who))
        return before


class FileFlags:
    """Flags in a file, so that every process, and every copy of a resource, sees the same."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, variants: dict[str, str]) -> None:
        self._path.write_text(json.dumps(variants))

    def read(self, flag: str) -> str | None:
        variants: dict[str, str] = json.loads(self._path.read_text())
        return variants.get(flag)

    def has_switched(self, flag: str, variant: str, *, who: str) -> bool:  # noqa: ARG002 - the port's
        return False

    def switch(self, flag: str, variant: str, *, who: str, why: str, expected: str) -> str:  # noqa: ARG002 - the port's
        variants = json.loads(self._path.read_text())
        if variants[flag] != expected:
            raise CannotChangeError(f"{flag} is {variants[flag]}, not {expected}")
        self.write({**variants, flag: variant})
        return expected


def rule(**changes: Any) -> Rule:
    given: dict[str, Any] = {
        "name": "few-clicks",
        "metric": "click_through_rate",
        "scope": {"placement": EACH},
        "window": timedelta(hours=24),
        "comparison": Comparison.BELOW,
        "threshold": 0.05,
        "rearm": 0.06,
        "minimum_sample": 100,
        "level": 0.95,
        "cooldown": timedelta(hours=48),
        "action": Action(Kind.FLAG, "layout-{placement}", "list"),
        "watch": Watch(),
    }
    return Rule(**{**given, **changes})


def guard(**changes: Any) -> Guard:
    given: dict[str, Any] = {
        "metric": "bounce_rate",
        "scope": {"placement": EACH},
        "margin": 0.05,
        "window": timedelta(hours=24),
        "minimum_sample": 100,
        "level": 0.95,
    }
    return Guard(**{**given, **changes})


def sample(successes: float, count: int) -> Sample:
    """What so many users did, each once, and of whom so many did it with success."""
    return Sample(count, count, successes, successes, successes, count)


def observed(
    rules: list[tuple[Rule, Sample]],
    book: Any,
    *,
    hours: float = 0,
    guards: dict[str, tuple[Sample, Sample]] | None = None,
    place: Place = HOME,
) -> Observation:
    """What an evaluation would measure, so many hours after noon: samples are given."""
    newest = NOON + timedelta(hours=hours)
    findings = []
    for each, measured in rules:
        arm = book.arm(each.name, name_of(place))
        judgement = judge(each, arm, newest, measured)
        findings.append(Finding(each, place, span_of(each, arm, newest), measured, judgement))
    watched = []
    for adjustment in book.watched():
        found = []
        for each_guard in adjustment.watch.guards:
            before, after = (guards or {})[each_guard.metric]
            judged = judge_guard(each_guard, adjustment.changed_at, newest, before, after)
            found.append(GuardFinding(each_guard, place, before, after, judged))
        watched.append((adjustment, found))
    return Observation(batch=round(hours) + 1, newest=newest, guards=watched, rules=findings)
