"""An installation's experiments, with all that starting, ending and shipping them needs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from feedback_platform.adjustment.flag_switch import StoredFlags
from feedback_platform.adjustment.flags.entries import Author
from feedback_platform.adjustment.flags.flags import Flags
from feedback_platform.adjustment.rules.rules_file import MODELS
from feedback_platform.errors import InvalidInputError
from feedback_platform.experiments.champion_switch import ChampionSwitch
from feedback_platform.experiments.definition import Programme
from feedback_platform.experiments.definitions_file import load_experiments
from feedback_platform.experiments.entries import Started
from feedback_platform.experiments.looks import Look
from feedback_platform.experiments.running import ExperimentLog, RunningExperiments
from feedback_platform.experiments.shipping import Shipper
from feedback_platform.experiments.starting import Installation, start
from feedback_platform.experiments.stopping import Ending, stop
from feedback_platform.lake.store import Lake
from feedback_platform.learning import registry


class InstalledExperiments:
    """Starts and ends the experiments of a lake.

    Args:
        lake: where everything is kept.
        clock: returns now (UTC).
    """

    def __init__(self, lake: Lake, clock: Callable[[], datetime]) -> None:
        self._lake = lake
        self._clock = clock
        self.log = ExperimentLog(lake)
        flags = StoredFlags(Flags(lake), clock)
        self.shipper = Shipper(flags, ChampionSwitch(lake, clock), clock)

    def start(
        self, programme: Programme, key: str, author: Author, at: datetime | None = None
    ) -> Started:
        """Start an experiment of a file, from now on where no other time is said.

        Raises:
            InvalidInputError: it cannot be started; the text says why.
        """
        experiment = programme.experiments.get(key)
        if experiment is None:
            names = ", ".join(programme.experiments) or "none"
            raise InvalidInputError(f"The file has no experiment {key!r}; it has {names}.")
        flags = Flags(self._lake).refresh().flags
        installed = Installation(
            {name: each.flag for name, each in flags.items()},
            {model: registry.version_ids(self._lake, model) for model in MODELS},
        )
        begins = self._clock() if at is None else at
        return start(self.log, experiment, programme.holdout, installed, author, begins)

    def stop(self, key: str, look: Look | None, ending: Ending) -> RunningExperiments:
        """End an experiment, or ship a variant of one that is over; see `stopping.stop`."""
        return stop(self.log, self.shipper, key, look, ending)


def programme_of(path: Path | None) -> Programme:
    """Return the experiments that this installation's file defines (`FEEDBACK_EXPERIMENTS`).

    Raises:
        InvalidInputError: there is no file, or it says what no experiment can mean.
    """
    if path is None:
        raise InvalidInputError(
            "No file defines experiments here; FEEDBACK_EXPERIMENTS names a TOML file."
        )
    return load_experiments(path)
