"""Who takes part in an experiment, and in which variant: a pure function of definition and user.

Nothing is stored, so nothing is lost: as long as a definition stays, so does the variant of
everybody. The hash and the ranges are those of the flags, which are GrowthBook's; hold-out, groups
and experiments have seeds of their own, so that being in one says nothing about another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from feedback_platform.adjustment.flags.bucketing import HASH_VERSIONS, Bucketing, bucket_ranges
from feedback_platform.adjustment.flags.conditions import compiled
from feedback_platform.experiments.definition import Experiment, HoldOut, Slot
from feedback_platform.taking_part import takes_part

_PERCENT: Final = 100


@dataclass(frozen=True)
class Participant:
    """Somebody who may take part.

    Attributes:
        user_id: by which the user is assigned.
        attributes: what the conditions of an audience ask for.
        is_personalised: False for who switched personalisation off.
        is_researched: False for who does not want to be part of research.
    """

    user_id: str
    attributes: Mapping[str, Any]
    is_personalised: bool = True
    is_researched: bool = True


class Absence(StrEnum):
    """Why somebody takes no part."""

    OPTED_OUT = "switched personalisation or research off"
    HELD_OUT = "in the permanent hold-out"
    OTHER_SLOT = "in another part of the exclusion group"
    NOT_IN_AUDIENCE = "not in the audience"
    NOT_INCLUDED = "not in the percentage that takes part"


class CompiledExperiment:
    """An experiment that was prepared once, to assign many."""

    def __init__(self, experiment: Experiment, holdout: HoldOut) -> None:
        self.experiment = experiment
        self._holdout = Bucketing(holdout.seed)
        self._held_out = holdout.percentage / _PERCENT
        self._slot = experiment.slot
        self._group = Bucketing(group_seed(experiment.slot), HASH_VERSIONS[0])
        self._tests = tuple(map(compiled, experiment.audience))
        self._bucketing = Bucketing(experiment.seed or experiment.key)
        weights = [share / _PERCENT for share in experiment.split.values()]
        ranges = bucket_ranges(weights, experiment.percentage / _PERCENT)
        self._ranges = tuple(zip(experiment.split, ranges, strict=True))

    def assign(self, participant: Participant) -> str | Absence:
        """Return the variant of somebody, or why there is none."""
        if not takes_part(
            is_personalised=participant.is_personalised, allows_research=participant.is_researched
        ):
            return Absence.OPTED_OUT
        user_id = participant.user_id
        if self._holdout.place(user_id) < self._held_out:
            return Absence.HELD_OUT
        if self._slot is not None and not _contains(self._slot, self._group.place(user_id)):
            return Absence.OTHER_SLOT
        if not all(test(participant.attributes) for test in self._tests):
            return Absence.NOT_IN_AUDIENCE
        place = self._bucketing.place(user_id)
        for variant, (begin, end) in self._ranges:
            if begin <= place < end:
                return variant
        return Absence.NOT_INCLUDED


def group_seed(slot: Slot | None) -> str:
    """Return the seed by which GrowthBook puts users into a namespace."""
    return f"__{slot.group}" if slot is not None else ""


def _contains(slot: Slot, place: float) -> bool:
    return slot.begins / _PERCENT <= place < slot.ends / _PERCENT
