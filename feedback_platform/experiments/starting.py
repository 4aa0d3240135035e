"""Whether an experiment can be started in this installation, beside those that run.

What a file can say is checked where it is read. Here is checked what only the installation knows:
whether that which is varied is there, and whether another experiment would get into its way.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from feedback_platform.adjustment.flags.definition import Flag
from feedback_platform.adjustment.flags.entries import Author
from feedback_platform.adjustment.rules.rules_file import MODELS
from feedback_platform.errors import InvalidInputError
from feedback_platform.experiments.definition import Experiment, HoldOut, Lever, Slot
from feedback_platform.experiments.entries import Started
from feedback_platform.experiments.levers import (
    CHAMPION,
    LIST_ATTRIBUTES,
    RANKING_POLICIES,
    THRESHOLDS,
)
from feedback_platform.experiments.metrics import METRICS
from feedback_platform.experiments.running import ExperimentLog, RunningExperiments


@dataclass(frozen=True)
class Installation:
    """What can be varied here.

    Attributes:
        flags: by key.
        versions: model → the versions in the registry.
    """

    flags: Mapping[str, Flag]
    versions: Mapping[str, Collection[str]]


def start(
    log: ExperimentLog,
    experiment: Experiment,
    holdout: HoldOut,
    installation: Installation,
    author: Author,
    at: datetime,
) -> Started:
    """Start an experiment; its whole definition is written down, and stays what it is.

    Args:
        log: of the experiments.
        experiment, holdout: as they are defined now.
        installation: what can be varied.
        author: who, why, and when by the clock.
        at: from when on exposures count, by the time of the events (UTC).

    Raises:
        InvalidInputError: it cannot be started; the text says why.
        ExperimentsBusyError: others start and stop experiments without end.
    """
    started = Started(experiment, holdout, author, at)
    check_installed(experiment, installation)

    def decide(current: RunningExperiments) -> Started:
        check_beside(experiment, holdout, current)
        return started

    log.append(decide)
    return started


def check_installed(experiment: Experiment, installation: Installation) -> None:
    """Refuse to vary what is not there.

    Raises:
        InvalidInputError: the flag, the model, the policy, the threshold, a value of it or a metric
            is not known; the text names those that are.
    """
    _CHECKS[experiment.lever](experiment, installation)
    if experiment.lever is not Lever.FLAG:
        _check_audience(experiment)
    for metric in experiment.metrics:
        if metric not in METRICS:
            raise _unknown(experiment, "metric", metric, METRICS)


def check_beside(experiment: Experiment, holdout: HoldOut, current: RunningExperiments) -> None:
    """Refuse an experiment that those before it leave no room for.

    Raises:
        InvalidInputError: it runs or ran before, has the seed of one that runs, overlaps with one
            in an exclusion group, varies what one varies, or has another hold-out.
    """
    key = experiment.key
    if key in current.running:
        raise InvalidInputError(f"{key!r} runs since {current.started[key].at:%Y-%m-%d %H:%M} UTC.")
    if key in current.started:
        raise InvalidInputError(
            f"{key!r} ran before, until {current.stopped[key].at:%Y-%m-%d %H:%M} UTC. Give it "
            "another name, and with it another seed: what users did then would count again."
        )
    for other in current.running.values():
        _check_pair(experiment, other)
    _check_holdout(holdout, current)


def _check_flag(experiment: Experiment, installation: Installation) -> None:
    subject = experiment.subject
    flag = installation.flags.get(subject)
    if flag is None:
        raise _unknown(experiment, "flag", subject, installation.flags)
    if not flag.is_enabled:
        raise InvalidInputError(
            f"{experiment.key!r} varies the flag {subject!r}, which is disabled: nobody gets any "
            f"of its variants. Enable it: feedback-platform flags set {subject} --enable"
        )
    _check_values(experiment, f"variant of the flag {subject!r}", flag.variants)


def _check_model(experiment: Experiment, installation: Installation) -> None:
    subject = experiment.subject
    if subject not in MODELS:
        raise _unknown(experiment, "model", subject, MODELS)
    versions = installation.versions.get(subject, ())
    _check_values(experiment, f"version of the model {subject!r}", (*versions, CHAMPION))


def _check_policy(experiment: Experiment, _: Installation) -> None:
    _check_values(experiment, "ranking policy", RANKING_POLICIES)


def _check_threshold(experiment: Experiment, _: Installation) -> None:
    subject = experiment.subject
    threshold = THRESHOLDS.get(subject)
    if threshold is None:
        raise _unknown(experiment, "threshold", subject, THRESHOLDS)
    for value in experiment.variants.values():
        if not threshold.low <= float(value) <= threshold.high:
            raise InvalidInputError(
                f"{experiment.key!r} sets {subject} to {value:g}; it accepts a number from "
                f"{threshold.low:g} to {threshold.high:g}."
            )


def _check_audience(experiment: Experiment) -> None:
    """Refuse an audience in which nobody would be: of a list's user little is known."""
    for condition in experiment.audience:
        if condition.attribute not in LIST_ATTRIBUTES:
            raise InvalidInputError(
                f"{experiment.key!r} asks for {condition.attribute!r} in its audience, of which a "
                f"request for a list says nothing. It may ask for {', '.join(LIST_ATTRIBUTES)}."
            )


_CHECKS: Final[dict[Lever, Callable[[Experiment, Installation], None]]] = {
    Lever.FLAG: _check_flag,
    Lever.MODEL: _check_model,
    Lever.RANKING_POLICY: _check_policy,
    Lever.THRESHOLD: _check_threshold,
}


def _check_pair(experiment: Experiment, other: Experiment) -> None:
    key = experiment.key
    if (experiment.seed or key) == (other.seed or other.key):
        raise InvalidInputError(
            f"{key!r} has the seed of {other.key!r}, which runs: the same users would be in the "
            "same parts of both. Give it one of its own."
        )
    if _overlaps(experiment.slot, other.slot):
        raise InvalidInputError(
            f"{key!r} overlaps with {other.key!r}, which runs, in their exclusion group. Give it "
            "a part of the group that no other has, or wait."
        )
    is_same = (experiment.lever, experiment.subject) == (other.lever, other.subject)
    if is_same and not _excludes(experiment.slot, other.slot):
        raise InvalidInputError(
            f"{key!r} varies the {experiment.lever.value} {experiment.subject!r}, as "
            f"{other.key!r} does, which runs: a user would get two variants of it. Put both into "
            "one exclusion group, in parts that do not overlap, or wait."
        )


def _check_holdout(holdout: HoldOut, current: RunningExperiments) -> None:
    """Refuse a hold-out that lets go of somebody: it is for ever."""
    before = [each.holdout for each in current.started.values() if each.holdout.percentage > 0]
    if not before:
        return
    last = before[-1]
    if holdout.seed != last.seed or holdout.percentage < last.percentage:
        raise InvalidInputError(
            f"The hold-out was {last.percentage:g} % with the seed {last.seed!r}, and is for ever; "
            "it may rise, and keeps its seed."
        )


def _excludes(slot: Slot | None, other: Slot | None) -> bool:
    """Return whether nobody can be in both."""
    is_one_group = slot is not None and other is not None and slot.group == other.group
    return is_one_group and not _overlaps(slot, other)


def _overlaps(slot: Slot | None, other: Slot | None) -> bool:
    if slot is None or other is None or slot.group != other.group:
        return False
    return slot.begins < other.ends and other.begins < slot.ends


def _check_values(experiment: Experiment, what: str, known: Collection[str]) -> None:
    for value in experiment.variants.values():
        if value not in known:
            raise _unknown(experiment, what, str(value), known)


def _unknown(
    experiment: Experiment, what: str, name: str, known: Collection[str]
) -> InvalidInputError:
    there_are = ", ".join(map(str, known)) or "none yet"
    return InvalidInputError(
        f"{experiment.key!r} needs what is not here: there is no {what} {name!r}. "
        f"There are: {there_are}."
    )
