"""The running experiments in the memory of a serving process, kept up to date."""

from __future__ import annotations

from typing import Final

from feedback_platform.experiments.running import ExperimentLog, RunningExperiments
from feedback_platform.serving.log_feed import LOOK_SECONDS, LogFeed

_NONE: Final = RunningExperiments()


class ExperimentFeed(LogFeed[RunningExperiments]):
    """Looks for experiments that were started, stopped or shipped."""

    def __init__(self, log: ExperimentLog, *, look_seconds: float = LOOK_SECONDS) -> None:
        super().__init__(
            log.refresh,
            what="The experiments",
            entry="An entry of experiments",
            look_seconds=look_seconds,
        )

    @property
    def experiments(self) -> RunningExperiments:
        """What runs, as far as it is known: none before the log was read."""
        return _NONE if self.current is None else self.current
