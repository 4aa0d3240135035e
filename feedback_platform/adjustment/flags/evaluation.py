"""What a flag is for somebody, and why: a pure function of definition and context."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from feedback_platform.adjustment.flags.bucketing import Bucketing, bucket_ranges
from feedback_platform.adjustment.flags.conditions import Test, compiled
from feedback_platform.adjustment.flags.context import Context, TargetingKeyMissingError
from feedback_platform.adjustment.flags.definition import SEGMENT, SEGMENT_ID, Flag, Rule

_PERCENT: Final = 100


class Reason(StrEnum):
    """Why a flag has its value, in OFREP's words."""

    STATIC = "STATIC"
    TARGETING_MATCH = "TARGETING_MATCH"
    SPLIT = "SPLIT"
    DISABLED = "DISABLED"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One of the outcomes that a flag can have; they are made once, so identity tells them apart.

    Attributes:
        key: of the flag.
        value: None where the asking program's own default holds.
        variant: its name; empty without a value.
        reason: why.
        metadata: the flag's revision, and the rule that decided, if one did.
    """

    key: str
    value: Any
    variant: str
    reason: Reason
    metadata: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True)
class _CompiledRule:
    """A rule made quick: either everybody gets `fixed`, or the place decides."""

    tests: tuple[Test, ...]
    is_personal: bool
    fixed: Evaluation | None
    bucketing: Bucketing
    ranges: tuple[tuple[float, float, Evaluation], ...]


class CompiledFlag:
    """A flag that was prepared once, to be evaluated often."""

    def __init__(self, flag: Flag, revision: int = 0) -> None:
        self.flag = flag
        self.revision = revision
        self._disabled = self._outcome(None, Reason.DISABLED)
        self._default = self._outcome(flag.default, Reason.STATIC)
        # A rollout that has not begun asks nobody who he is.
        self._rules = tuple(self._compiled(rule) for rule in flag.rules if rule.percentage > 0)

    def evaluate(self, context: Context) -> Evaluation:
        """Return the outcome for somebody.

        Who does not want to be personalised takes part in no rule that splits or asks for the
        segment.

        Raises:
            TargetingKeyMissingError: it depends on who asks, and nobody said who.
        """
        if not self.flag.is_enabled:
            return self._disabled
        attributes = context.attributes
        for rule in self._rules:
            if rule.is_personal and not context.is_personalised:
                continue
            # Half as long as `all` of a generator takes.
            for test in rule.tests:
                if not test(attributes):
                    break
            else:
                outcome = rule.fixed or self._of_split(rule, context.targeting_key)
                if outcome is not None:
                    return outcome
        return self._default

    def _of_split(self, rule: _CompiledRule, targeting_key: str | None) -> Evaluation | None:
        """Return the outcome of the part that somebody is in, None for who takes no part."""
        if targeting_key is None:
            raise TargetingKeyMissingError(self.flag.key)
        place = rule.bucketing.place(targeting_key)
        for begin, end, outcome in rule.ranges:
            if begin <= place < end:
                return outcome
        return None

    def _compiled(self, rule: Rule) -> _CompiledRule:
        names, shares = list(rule.split), list(rule.split.values())
        reason = Reason.SPLIT if rule.is_split else Reason.TARGETING_MATCH
        outcomes = [self._outcome(name, reason, rule) for name in names]
        weights = [share / _PERCENT for share in shares]
        ranges = bucket_ranges(weights, rule.percentage / _PERCENT)
        asks_for_segment = any(each.attribute in {SEGMENT, SEGMENT_ID} for each in rule.when)
        return _CompiledRule(
            tests=tuple(map(compiled, rule.when)),
            is_personal=rule.is_split or asks_for_segment,
            fixed=None if rule.is_split else outcomes[0],
            bucketing=Bucketing(rule.seed, rule.hash_version),
            ranges=tuple((*each, outcome) for each, outcome in zip(ranges, outcomes, strict=True)),
        )

    def _outcome(self, variant: str | None, reason: Reason, rule: Rule | None = None) -> Evaluation:
        metadata: dict[str, str | int] = {"revision": self.revision}
        if rule is not None:
            metadata["rule"] = rule.name
        value = None if variant is None else self.flag.variants[variant]
        return Evaluation(self.flag.key, value, variant or "", reason, metadata)


def evaluate(flag: Flag, context: Context) -> Evaluation:
    """Return what a flag is for somebody; who asks often keeps the `CompiledFlag`."""
    return CompiledFlag(flag).evaluate(context)
