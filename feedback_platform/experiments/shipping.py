"""Giving everybody a variant of an experiment: the flag or the model is changed where it is kept.

Making a change twice is making it once. A ranking policy and a threshold have no home of their own:
what the log of experiments says was shipped is what they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from feedback_platform.adjustment.rules.changes import CannotChangeError, FlagSwitch
from feedback_platform.experiments.decision import Verdict
from feedback_platform.experiments.definition import Experiment, Lever
from feedback_platform.experiments.levers import CHAMPION
from feedback_platform.experiments.looks import Look

# Who keeps reasons keeps no longer ones.
LONGEST_REASON: Final = 1_000


class ModelSwitch(Protocol):
    """What shipping needs of the model registry."""

    def promote(self, model: str, version: str, *, reason: str) -> None:
        """Make a version the champion, where it is not so already.

        Raises:
            CannotChangeError: there is no such version, it is damaged, or promotion is frozen.
        """
        ...


@dataclass(frozen=True)
class Shipper:
    """Ships variants.

    Attributes:
        flags: of the installation.
        models: its registry.
        clock: returns now (UTC).
    """

    flags: FlagSwitch
    models: ModelSwitch
    clock: Callable[[], datetime]

    def ship(self, experiment: Experiment, variant: str, reason: str) -> None:
        """Give everybody a variant.

        Raises:
            CannotChangeError: what is to be changed is not there any more.
        """
        subject, value = experiment.subject, str(experiment.variants[variant])
        if experiment.lever is Lever.MODEL:
            if value == CHAMPION:
                # Whichever is in use stays so.
                return
            self.models.promote(subject, value, reason=reason[:LONGEST_REASON])
        elif experiment.lever is Lever.FLAG:
            now = self.flags.read(subject)
            if now is None:
                raise CannotChangeError(f"There is no enabled flag {subject!r}.")
            if now != value:
                who = author_of(experiment.key)
                why = reason[:LONGEST_REASON]
                self.flags.switch(subject, value, who=who, why=why, expected=now)


def author_of(key: str) -> str:
    """Return who is written down as the one who did what an experiment decided."""
    return f"experiment:{key}"


def objection(look: Look | None, variant: str, control: str) -> str:
    """Return why what was found does not allow to ship a variant; nothing where it does.

    Control may be shipped whatever was found: that is to leave things as they are for everybody.
    """
    if variant == control:
        return ""
    if look is None:
        return "nothing was found yet"
    if look.verdict == Verdict.SHIP.value and look.winner == variant:
        return ""
    rows = {row.variant: row for row in look.results}
    row = rows.get(variant)
    if row is not None and row.decision == Verdict.SHIP.value:
        return f"{look.winner} is better by the first deciding metric"
    return "nothing was found yet" if row is None else f"{row.decision} ({row.reason})"
