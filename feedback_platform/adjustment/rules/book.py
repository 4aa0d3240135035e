"""What the ledger's entries come to: every adjustment, and the state of each rule at each place.

An adjustment is first intended, then made, then written down as made; it is undone in the same
three steps. Whoever comes after one that died finds what is unfinished, and finishes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from feedback_platform.adjustment.rules.changes import NORMAL, Change
from feedback_platform.adjustment.rules.decision import Arm
from feedback_platform.adjustment.rules.definition import Kind, Place, Watch, name_of


class Status(StrEnum):
    """How far an adjustment has come."""

    INTENDED = "intended"
    APPLIED = "applied"
    FAILED = "failed"
    UNDOING = "undoing"
    REVERTED = "reverted"
    EXPIRED = "expired"


_CATEGORIES: Final = frozenset({Kind.HIDE_CATEGORY, Kind.BOOST_CATEGORY})
# What is about to be undone is there until it is.
_IN_FORCE: Final = frozenset({Status.APPLIED, Status.UNDOING})


@dataclass(frozen=True)
class Adjustment:
    """One firing of a rule.

    Attributes:
        adjustment_id: the same whenever the same firing is written again.
        rule, place: which rule, and where.
        evidence: what was measured.
        change: what it changes.
        watch: how it is looked after; the rule as it was then.
        changed_at: when the newest event happened that was known then (UTC).
        cooldown_until: the rule is quiet there before then (UTC).
        status: how far it has come.
        is_watched: whether its guards are still asked.
        intended_at, at: when it was decided and made, by the clock (UTC).
        undoing_at, undone_at: when its undoing was decided and done, by the clock (UTC).
        becomes: what an unfinished undoing makes of it.
        reason: why it was undone, kept or failed.
        undo_evidence: what its guards measured.
    """

    adjustment_id: str
    rule: str
    place: Place
    evidence: Mapping[str, Any]
    change: Change
    watch: Watch
    changed_at: datetime
    cooldown_until: datetime
    intended_at: datetime
    status: Status = Status.INTENDED
    is_watched: bool = False
    at: datetime | None = None
    undoing_at: datetime | None = None
    undone_at: datetime | None = None
    becomes: Status | None = None
    reason: str = ""
    undo_evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def scope(self) -> str:
        """The name of its place."""
        return name_of(self.place)


@dataclass(frozen=True)
class Book:
    """The ledger, read.

    Attributes:
        sequence: the newest entry in it.
        adjustments: by id, in the order in which they were decided.
        arms: by rule and name of the place; where nothing stands, a rule is armed.
    """

    sequence: int = 0
    adjustments: Mapping[str, Adjustment] = field(default_factory=dict)
    arms: Mapping[tuple[str, str], Arm] = field(default_factory=dict)

    @property
    def categories(self) -> dict[str, str]:
        """What is done with each category that is hidden or boosted: the newest change counts."""
        return {
            each.change.subject: each.change.after
            for each in self.adjustments.values()
            if each.status in _IN_FORCE and each.change.kind in _CATEGORIES
        }

    def arm(self, rule: str, scope: str) -> Arm:
        """Return the state of a rule at a place."""
        return self.arms.get((rule, scope), Arm())

    def treatment(self, category: str) -> str:
        """Return what is done with a category: normal, hidden or boosted."""
        return self.categories.get(category, NORMAL)

    def undone_to(self, change: Change) -> str:
        """Return what undoing a change left; other rules may have changed its category, too."""
        is_category = change.kind in _CATEGORIES
        return self.treatment(change.subject) if is_category else change.before

    def unfinished(self) -> list[Adjustment]:
        """Return what is intended, or about to be undone."""
        open_states = (Status.INTENDED, Status.UNDOING)
        return [each for each in self.adjustments.values() if each.status in open_states]

    def watched(self) -> list[Adjustment]:
        """Return what is made, and whose guards are asked."""
        return [
            each
            for each in self.adjustments.values()
            if each.status is Status.APPLIED and each.is_watched
        ]

    def with_adjustment(self, adjustment_id: str, **changes: Any) -> Book:
        """Return the book with an adjustment changed."""
        changed = replace(self.adjustments[adjustment_id], **changes)
        return replace(self, adjustments={**self.adjustments, adjustment_id: changed})

    def with_arm(self, rule: str, scope: str, arm: Arm) -> Book:
        """Return the book with another state of a rule at a place."""
        return replace(self, arms={**self.arms, (rule, scope): arm})
