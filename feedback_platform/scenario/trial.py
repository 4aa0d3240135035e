"""The experiment of a story: the platform runs it, once somebody has started it."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from feedback_platform.adjustment.flags.entries import Author
from feedback_platform.clock import Clock
from feedback_platform.experiments.definition import Programme
from feedback_platform.experiments.installation import InstalledExperiments
from feedback_platform.lake.store import Lake
from feedback_platform.scenario.definition import Trial

_AUTHOR: Final = "file:scenario"


def start_trial(trial: Trial, lake: Lake, clock: Clock) -> datetime:
    """Start an experiment as `experiments start` does, and return since when it runs (UTC)."""
    programme = Programme({trial.experiment.key: trial.experiment}, trial.holdout)
    author = Author(_AUTHOR, "The scenario says so.", clock())
    started = InstalledExperiments(lake, clock).start(programme, trial.experiment.key, author)
    return started.at
