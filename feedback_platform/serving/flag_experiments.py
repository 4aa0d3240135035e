"""What a flag is for somebody in an experiment over it."""

from __future__ import annotations

from typing import Final, NamedTuple

from feedback_platform.adjustment.flags.context import Context
from feedback_platform.adjustment.flags.evaluation import CompiledFlag, Evaluation, Reason
from feedback_platform.adjustment.flags.flag_set import FlagSet
from feedback_platform.experiments.assignment import Participant
from feedback_platform.experiments.definition import Lever
from feedback_platform.experiments.running import Assignment, RunningExperiments

# Metadata of an evaluation, in the style of OpenFeature's own names.
EXPERIMENT_ID: Final = "experimentId"
VARIANT: Final = "variant"


class Assigned(NamedTuple):
    """An evaluation that an experiment has decided.

    Attributes:
        evaluation: one of the few that there are, so identity tells them apart.
        assignment: by which it came about.
    """

    evaluation: Evaluation
    assignment: Assignment


class FlagExperiments:
    """The experiments over flags, as they are at one position of both logs; it never changes.

    A flag that is gone, is disabled or lacks one of an experiment's variants is not varied for
    anybody: an arm that gets something else than was planned would be compared with the others.
    """

    def __init__(self, flags: FlagSet, experiments: RunningExperiments) -> None:
        self.flags = flags
        self.experiments = experiments
        self._evaluations = {
            (key, name): _evaluation(flag, experiment.key, name, str(variant))
            for key, experiment in experiments.running.items()
            if (flag := _varied(flags, experiment.lever, experiment.subject)) is not None
            if all(value in flag.flag.variants for value in experiment.variants.values())
            for name, variant in experiment.variants.items()
        }
        running = experiments.running
        self._subjects = frozenset(running[key].subject for key, _ in self._evaluations)

    def assigned(self, flag: CompiledFlag, context: Context) -> Assigned | None:
        """Return what a flag is by an experiment; None for what it is without."""
        if flag.flag.key not in self._subjects or context.targeting_key is None:
            return None
        participant = Participant(
            context.targeting_key,
            context.attributes,
            context.is_personalised,
            context.allows_research,
        )
        assignment = self.experiments.assigned(Lever.FLAG, flag.flag.key, participant)
        if assignment is None:
            return None
        found = self._evaluations.get((assignment.experiment_id, assignment.variant))
        return None if found is None else Assigned(found, assignment)


def _varied(flags: FlagSet, lever: Lever, subject: str) -> CompiledFlag | None:
    flag = flags.flags.get(subject) if lever is Lever.FLAG else None
    return flag if flag is not None and flag.flag.is_enabled else None


def _evaluation(flag: CompiledFlag, experiment_id: str, name: str, variant: str) -> Evaluation:
    metadata: dict[str, str | int] = {
        "revision": flag.revision,
        EXPERIMENT_ID: experiment_id,
        VARIANT: name,
    }
    value = flag.flag.variants[variant]
    return Evaluation(flag.flag.key, value, variant, Reason.SPLIT, metadata)
