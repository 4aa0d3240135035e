"""The versions of a model of which running experiments need lists."""

from __future__ import annotations

from feedback_platform.experiments.definition import Experiment, Lever
from feedback_platform.experiments.levers import CHAMPION
from feedback_platform.experiments.running import RunningExperiments


def versions_of(experiment: Experiment) -> frozenset[str]:
    """Return the versions that an experiment over a model names; none of any other."""
    if experiment.lever is not Lever.MODEL:
        return frozenset()
    return frozenset(str(value) for value in experiment.variants.values()) - {CHAMPION}


def versions_in_experiments(experiments: RunningExperiments, model: str) -> frozenset[str]:
    """Return the versions of a model that running experiments name."""
    return frozenset().union(
        *(versions_of(each) for each in experiments.running.values() if each.subject == model)
    )
