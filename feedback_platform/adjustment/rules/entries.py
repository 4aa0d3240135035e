"""What can stand in the ledger of adjustments, and what each entry does to the book."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from feedback_platform.adjustment.rules.book import Adjustment, Book, Status
from feedback_platform.adjustment.rules.decision import fired


@dataclass(frozen=True)
class Intended:
    """A rule has fired; its change is about to be made."""

    adjustment: Adjustment

    def onto(self, book: Book) -> Book:
        """Return the book with this entry."""
        adjustment = self.adjustment
        known = {**book.adjustments, adjustment.adjustment_id: adjustment}
        arm = fired(adjustment.changed_at, adjustment.cooldown_until)
        return replace(book, adjustments=known).with_arm(adjustment.rule, adjustment.scope, arm)


@dataclass(frozen=True)
class Made:
    """The change is made."""

    adjustment_id: str
    at: datetime

    def onto(self, book: Book) -> Book:
        """Return the book with this entry."""
        adjustment = book.adjustments[self.adjustment_id]
        watch = adjustment.watch
        is_watched = bool(watch.guards) or watch.expires_after is not None
        made = {"status": Status.APPLIED, "at": self.at, "is_watched": is_watched}
        return book.with_adjustment(self.adjustment_id, **made)


@dataclass(frozen=True)
class Failed:
    """The change cannot be made; the rule may fire again after its cooldown."""

    adjustment_id: str
    reason: str

    def onto(self, book: Book) -> Book:
        """Return the book with this entry."""
        adjustment = book.adjustments[self.adjustment_id]
        arm = book.arm(adjustment.rule, adjustment.scope)
        return book.with_adjustment(
            self.adjustment_id, status=Status.FAILED, reason=self.reason
        ).with_arm(adjustment.rule, adjustment.scope, replace(arm, is_armed=True))


@dataclass(frozen=True)
class Kept:
    """The change stays, and is watched no longer."""

    adjustment_id: str
    reason: str
    evidence: Mapping[str, Any]

    def onto(self, book: Book) -> Book:
        """Return the book with this entry."""
        return book.with_adjustment(
            self.adjustment_id,
            is_watched=False,
            reason=self.reason,
            undo_evidence=self.evidence,
        )


@dataclass(frozen=True)
class Undoing:
    """The change is about to be taken back.

    Attributes:
        adjustment_id: of what.
        becomes: `reverted`, or `expired`.
        reason: why.
        until: what happened up to then took place under the change (UTC), where it is known.
        evidence: what the guards measured.
        at: when that was decided (UTC); an earlier release did not say.
    """

    adjustment_id: str
    becomes: Status
    reason: str
    until: datetime | None
    evidence: Mapping[str, Any]
    at: datetime | None = None

    def onto(self, book: Book) -> Book:
        """Return the book with this entry."""
        adjustment = book.adjustments[self.adjustment_id]
        arm = book.arm(adjustment.rule, adjustment.scope)
        times = [time for time in (arm.since, self.until) if time is not None]
        # What happened under the change says nothing about the product without it. Nor does it arm
        # a rule against a guard or a person; what was for a while may be due once more.
        is_armed = arm.is_armed and self.becomes is not Status.REVERTED
        arm = replace(arm, since=max(times, default=None), is_armed=is_armed)
        return book.with_adjustment(
            self.adjustment_id,
            status=Status.UNDOING,
            becomes=self.becomes,
            reason=self.reason,
            undo_evidence=self.evidence,
            undoing_at=self.at,
        ).with_arm(adjustment.rule, adjustment.scope, arm)


@dataclass(frozen=True)
class Undone:
    """The change is taken back, or was not there any more."""

    adjustment_id: str
    at: datetime
    status: Status
    reason: str

    def onto(self, book: Book) -> Book:
        """Return the book with this entry."""
        return book.with_adjustment(
            self.adjustment_id,
            status=self.status,
            undone_at=self.at,
            is_watched=False,
            becomes=None,
            reason=self.reason,
        )


@dataclass(frozen=True)
class Rearmed:
    """The metric of a rule that has fired is back to normal at a place."""

    rule: str
    scope: str

    def onto(self, book: Book) -> Book:
        """Return the book with this entry."""
        arm = replace(book.arm(self.rule, self.scope), is_armed=True)
        return book.with_arm(self.rule, self.scope, arm)


Entry = Intended | Made | Failed | Kept | Undoing | Undone | Rearmed


def following(book: Book, entry: Entry) -> Book:
    """Return the book with one more entry."""
    return entry.onto(replace(book, sequence=book.sequence + 1))
