"""The experiment of a story, by the platform's own log, assignment and analysis.

Who gets what is asked of the `RunningExperiments` that a server asks, by the product: it fetches
the list that its user is to get, and tells the exposure itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from feedback_platform.adjustment.flags.entries import Author
from feedback_platform.experiments.assignment import Participant
from feedback_platform.experiments.decision import Verdict
from feedback_platform.experiments.definition import Lever
from feedback_platform.experiments.entries import Stopped
from feedback_platform.experiments.levers import PERSONAL, POPULAR
from feedback_platform.experiments.running import Assignment, ExperimentLog
from feedback_platform.experiments.starting import Installation, start
from feedback_platform.lake.store import Lake
from feedback_platform.scenario.definition import Trial
from feedback_platform.scenario.messages import PLACEMENT

_AUTHOR: Final = "file:scenario"
_VARIED: Final = (Lever.RANKING_POLICY, PLACEMENT)


@dataclass(frozen=True)
class Policy:
    """What a user is shown, and by which experiment.

    Attributes:
        is_personal: whether it is the user's own list; otherwise it is what is popular.
        assignment: None for who takes part in no running experiment.
    """

    is_personal: bool
    assignment: Assignment | None


class RunningTrial:
    """Starts the experiment, says who gets what, and ends it by its decision."""

    def __init__(self, trial: Trial, lake: Lake) -> None:
        self._trial = trial
        self._log = ExperimentLog(lake)
        self._running = self._log.refresh()

    def start(self, at: datetime) -> None:
        """Start it at a time (UTC)."""
        author = Author(_AUTHOR, "The scenario says so.", at)
        none_needed = Installation(flags={}, versions={})
        start(self._log, self._trial.experiment, self._trial.holdout, none_needed, author, at)
        self._running = self._log.refresh()

    def stop(self, at: datetime, verdict: Verdict) -> str:
        """End it at a time (UTC), give everybody the variant that follows, and return that."""
        experiment = self._trial.experiment
        shipped = experiment.treatments[0] if verdict is Verdict.SHIP else experiment.control
        author = Author(_AUTHOR, "Its horizon is over.", at)
        key, decision = experiment.key, verdict.value
        self._log.append(lambda _: Stopped(key, decision, author, at, shipped))
        self._running = self._log.refresh()
        return shipped

    def policy_of(self, user_id: str) -> Policy:
        """Return what a user is shown now: what was shipped, or else what is popular."""
        assigned = self._running.assigned(*_VARIED, Participant(user_id, {}))
        if assigned is not None:
            return Policy(assigned.value == PERSONAL, assigned)
        return Policy(self._running.shipped.get(_VARIED, POPULAR) == PERSONAL, None)
