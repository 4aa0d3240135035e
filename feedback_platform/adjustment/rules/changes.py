"""What a rule changes: the port to each thing that can be changed, and how it is put back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from feedback_platform.adjustment.rules.definition import Action, Kind
from feedback_platform.errors import PermanentError

# What is done with a category that no rule has touched.
NORMAL: Final = "normal"
HIDDEN: Final = "hidden"
BOOSTED: Final = "boosted"
_TREATMENTS: Final = {Kind.HIDE_CATEGORY: HIDDEN, Kind.BOOST_CATEGORY: BOOSTED}


class CannotChangeError(PermanentError):
    """What a rule wants to change is not there, or is not as it was; trying again is no use."""


@dataclass(frozen=True)
class Change:
    """One thing that changes.

    Attributes:
        kind: what kind of thing.
        subject: which one: the flag, the category, the model, the experiment.
        before, after: what it is before and after.
    """

    kind: Kind
    subject: str
    before: str
    after: str


@dataclass(frozen=True)
class Cause:
    """Who changes something, and why; the same when the change is tried again.

    Attributes:
        adjustment_id: of the row in the ledger.
        rule, scope: which rule, and where.
        why: a sentence.
    """

    adjustment_id: str
    rule: str
    scope: str
    why: str

    @property
    def who(self) -> str:
        """Who is written down as the one who did it."""
        return f"rule:{self.rule} ({self.adjustment_id})"


class FlagSwitch(Protocol):
    """What rules need of the flags: the variant in force, switching it, and who did so before."""

    def read(self, flag: str) -> str | None:
        """Return the variant that everybody gets now; None where no such flag is enabled."""
        ...

    def has_switched(self, flag: str, variant: str, *, who: str) -> bool:
        """Return whether somebody has ever switched a flag to a variant."""
        ...

    def switch(self, flag: str, variant: str, *, who: str, why: str, expected: str) -> str:
        """Switch a flag, provided that it is as expected, and return what it was before.

        Raises:
            CannotChangeError: there is no such flag or variant, or the flag is not as expected.
        """
        ...


class Changer(Protocol):
    """One kind of change: planned, made and taken back. Making it twice is making it once."""

    def plan(self, action: Action) -> Change:
        """Return what would change.

        Raises:
            CannotChangeError: the thing is not there.
        """
        ...

    def make(self, change: Change, cause: Cause) -> None:
        """Make a change that may be made already.

        Raises:
            CannotChangeError: the thing is neither as before nor as after.
            TransientError: it may work at the next attempt.
        """
        ...

    def take_back(self, change: Change, cause: Cause) -> None:
        """Make things as before, where they may be so already.

        Raises:
            CannotChangeError: the thing is neither as before nor as after.
            TransientError: it may work at the next attempt.
        """
        ...


class FlagChanger:
    """Switches flags."""

    def __init__(self, flags: FlagSwitch) -> None:
        self._flags = flags

    def plan(self, action: Action) -> Change:
        """Return what the flag is, and what it would be."""
        before = self._flags.read(action.subject)
        if before is None:
            raise CannotChangeError(f"There is no enabled flag {action.subject!r}.")
        return Change(action.kind, action.subject, before, action.variant)

    def make(self, change: Change, cause: Cause) -> None:
        """Switch the flag."""
        self._switch(change.subject, change.before, change.after, cause)

    def take_back(self, change: Change, cause: Cause) -> None:
        """Switch it back."""
        self._switch(change.subject, change.after, change.before, cause)

    def _switch(self, flag: str, before: str, after: str, cause: Cause) -> None:
        now = self._flags.read(flag)
        # A process that died may have switched it, and somebody else have switched it since.
        if now == after or self._flags.has_switched(flag, after, who=cause.who):
            return
        if now != before:
            raise CannotChangeError(
                f"The flag {flag!r} is {now!r} and not {before!r}: somebody else switched it."
            )
        self._flags.switch(flag, after, who=cause.who, why=cause.why, expected=before)


class CategoryChanger:
    """Hides and boosts categories; the row in the ledger is what lists go by.

    Args:
        treatment: returns what is done with a category now.
    """

    def __init__(self, treatment: Callable[[str], str]) -> None:
        self._treatment = treatment

    def plan(self, action: Action) -> Change:
        """Return what is done with the category, and what would be."""
        before = self._treatment(action.subject)
        return Change(action.kind, action.subject, before, _TREATMENTS[action.kind])

    def make(self, change: Change, cause: Cause) -> None:
        """Do nothing: the change is made once it is written down."""

    def take_back(self, change: Change, cause: Cause) -> None:
        """Do nothing either: what other rules did with the category is in force again."""
