"""The experiments of an installation: which run, who gets what by them, and what was shipped.

`ExperimentLog` is the append-only log in the lake; many processes may read it and write to it at
the same time. What it comes to is `RunningExperiments`, a value that nothing changes. A process
that serves keeps one, looks regularly for a newer one (`ExperimentLog.refresh` reads a single
object where nothing is new), and answers every request from the one that it has.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from threading import RLock
from typing import Final

from feedback_platform.errors import InvalidInputError, TransientError
from feedback_platform.experiments.assignment import Absence, CompiledExperiment, Participant
from feedback_platform.experiments.definition import Experiment, Lever
from feedback_platform.experiments.entries import (
    Entry,
    Started,
    Stopped,
    from_bytes,
    to_bytes,
)
from feedback_platform.lake import keys
from feedback_platform.lake.numbered_log import NumberedLog, Store

_ATTEMPTS: Final = 100
_DAMAGES: Final = (ValueError, TypeError, KeyError, AttributeError, InvalidInputError)
# What can be varied: the lever and its subject, such as the flag `layout-home`.
Varied = tuple[Lever, str]


class ExperimentsBusyError(TransientError):
    """Others started or stopped experiments each time that this one was about to be."""


@dataclass(frozen=True)
class Assignment:
    """What a user gets by one experiment.

    Attributes:
        experiment_id: by which `experiment_exposed` events name it.
        variant: by which they name that.
        lever, subject: what is varied.
        value: the variant of the flag, the version of the model, the ranking policy, the threshold.
    """

    experiment_id: str
    variant: str
    lever: Lever
    subject: str
    value: str | float


@dataclass(frozen=True)
class RunningExperiments:
    """All experiments at one position of the log; a new one takes the place of an old one, whole.

    Attributes:
        position: of the newest entry in it; 0 before the first. Two of one position are equal.
        started: every experiment that was ever started, by key, in that order.
        stopped: those that are over.
        shipments: experiment → the variant that everybody got by it, the newest shipment last.
        problems: entries that could not be read, and do not count.
    """

    position: int = 0
    started: Mapping[str, Started] = field(default_factory=dict)
    stopped: Mapping[str, Stopped] = field(default_factory=dict)
    shipments: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @cached_property
    def running(self) -> dict[str, Experiment]:
        """The experiments that are not over, by key, as they were defined when they started."""
        return {
            key: each.experiment for key, each in self.started.items() if key not in self.stopped
        }

    @cached_property
    def shipped(self) -> dict[Varied, str | float]:
        """What everybody gets who is in no experiment: what was shipped last of each thing varied.

        A flag or a model is changed where it is kept, too. A ranking policy (by its placement) and
        a threshold have no other home: whoever serves looks them up here.
        """
        return {
            (experiment.lever, experiment.subject): experiment.variants[variant]
            for key, variant in self.shipments.items()
            for experiment in [self.started[key].experiment]
        }

    def assigned(self, lever: Lever, subject: str, participant: Participant) -> Assignment | None:
        """Return what a user gets of one thing that may be varied; None for what everybody gets.

        Experiments that vary the same thing are in parts of one exclusion group that do not
        overlap, so a user is in one of them at most. To be assigned is not to be exposed: whoever
        then shows the user what was assigned logs an `experiment_exposed` event, control included.

        Args:
            lever, subject: the key of a flag, the name of a model, a placement, or a threshold.
            participant: the user, with the attributes of flags' conditions, and what they allow.
        """
        for compiled in self._compiled.get((lever, subject), ()):
            found = _assignment(compiled, participant)
            if found is not None:
                return found
        return None

    def assignments(self, participant: Participant) -> tuple[Assignment, ...]:
        """Return what a user gets by every running experiment, in the order of their starts."""
        found = (
            _assignment(compiled, participant)
            for group in self._compiled.values()
            for compiled in group
        )
        return tuple(each for each in found if each is not None)

    def subjects(self, lever: Lever) -> frozenset[str]:
        """Return what running experiments vary by a lever, such as the keys of flags."""
        return frozenset(subject for each, subject in self._compiled if each is lever)

    def after(self, position: int, entry: Entry) -> RunningExperiments:
        """Return what is after an entry.

        Raises:
            InvalidInputError: it cannot follow what is before; the text says why.
        """
        if isinstance(entry, Started):
            if entry.key in self.started:
                raise InvalidInputError(f"{entry.key!r} was started before")
            return replace(self, position=position, started={**self.started, entry.key: entry})
        if entry.key not in self.started:
            raise InvalidInputError(f"{entry.key!r} was not started")
        if isinstance(entry, Stopped):
            if entry.key in self.stopped:
                raise InvalidInputError(f"{entry.key!r} was stopped before")
            stopped = replace(self, position=position, stopped={**self.stopped, entry.key: entry})
            return _with_shipment(stopped, entry.key, entry.shipped) if entry.shipped else stopped
        return _with_shipment(replace(self, position=position), entry.key, entry.variant)

    @cached_property
    def _compiled(self) -> dict[Varied, tuple[CompiledExperiment, ...]]:
        found: defaultdict[Varied, list[CompiledExperiment]] = defaultdict(list)
        for key, each in self.running.items():
            compiled = CompiledExperiment(each, self.started[key].holdout)
            found[each.lever, each.subject].append(compiled)
        return {varied: tuple(group) for varied, group in found.items()}


class ExperimentLog:
    """Experiments over an object store.

    All calls raise LakeUnavailableError where the store fails; what was known is still there then.
    """

    def __init__(self, store: Store) -> None:
        self._log = NumberedLog(
            store, keys.EXPERIMENTS, keys.experiment_entry, keys.experiment_position
        )
        self._lock = RLock()
        self._current = RunningExperiments()

    def refresh(self) -> RunningExperiments:
        """Take over what anybody started or stopped since, and return the experiments.

        Where nothing is new it costs one read, and returns the very value of the last time.
        """
        with self._lock:
            for position, content in self._log.new_entries():
                self._current = _following(self._current, position, content)
            return self._current

    def append(self, decide: Callable[[RunningExperiments], Entry | None]) -> RunningExperiments:
        """Decide upon the newest experiments, and again as long as somebody else was quicker.

        Args:
            decide: returns what to write down, None for nothing; what it raises is raised.

        Returns:
            The experiments after it.

        Raises:
            InvalidInputError: the entry cannot follow what is there.
            ExperimentsBusyError: somebody else was quicker again and again.
        """
        with self._lock:
            for _ in range(_ATTEMPTS):
                current = self.refresh()
                entry = decide(current)
                if entry is None:
                    return current
                current.after(current.position + 1, entry)
                if self._log.append(to_bytes(entry)):
                    return self.refresh()
        raise ExperimentsBusyError(
            f"Others started or stopped experiments {_ATTEMPTS} times in a row; try again."
        )


def _with_shipment(current: RunningExperiments, key: str, variant: str) -> RunningExperiments:
    if variant not in current.started[key].experiment.variants:
        raise InvalidInputError(f"{key!r} has no variant {variant!r}")
    others = {each: name for each, name in current.shipments.items() if each != key}
    return replace(current, shipments={**others, key: variant})


def _assignment(compiled: CompiledExperiment, participant: Participant) -> Assignment | None:
    variant = compiled.assign(participant)
    if isinstance(variant, Absence):
        return None
    experiment = compiled.experiment
    return Assignment(
        experiment.key,
        variant,
        experiment.lever,
        experiment.subject,
        experiment.variants[variant],
    )


def _following(current: RunningExperiments, position: int, content: bytes) -> RunningExperiments:
    origin = keys.experiment_entry(position)
    try:
        return current.after(position, from_bytes(content, origin=origin))
    except _DAMAGES as error:
        problem = f"{origin} is damaged ({type(error).__name__}: {error})"
        return replace(current, position=position, problems=(*current.problems, problem))
