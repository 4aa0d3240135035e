"""Experiments as trigger rules change them: started because of a breach, stopped where it harms."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

from feedback_platform.adjustment.flags.entries import Author
from feedback_platform.adjustment.rules.changes import CannotChangeError, Cause, Change
from feedback_platform.adjustment.rules.definition import Action
from feedback_platform.errors import InvalidInputError
from feedback_platform.experiments.entries import STOPPED, Entry, Stopped
from feedback_platform.experiments.installation import InstalledExperiments, programme_of
from feedback_platform.experiments.running import RunningExperiments

NOT_RUNNING: Final = "not running"
RUNNING: Final = "running"


class ExperimentChanger:
    """Starts the experiments of the installation's file, each once, and stops them.

    Args:
        experiments: of the installation.
        path: of the file that defines them (`FEEDBACK_EXPERIMENTS`), or None.
        clock: returns now (UTC).
    """

    def __init__(
        self, experiments: InstalledExperiments, path: Path | None, clock: Callable[[], datetime]
    ) -> None:
        self._experiments = experiments
        self._path = path
        self._clock = clock

    def plan(self, action: Action) -> Change:
        """Return whether it runs, and that it would."""
        key, now = action.subject, self._experiments.log.refresh()
        if key in now.stopped:
            raise CannotChangeError(f"The experiment {key!r} ran before; each runs once.")
        if key in now.running:
            return Change(action.kind, key, RUNNING, RUNNING)
        try:
            programme = programme_of(self._path)
        except InvalidInputError as error:
            raise CannotChangeError(str(error)) from error
        if key not in programme.experiments:
            raise CannotChangeError(f"{self._path} has no experiment {key!r}.")
        return Change(action.kind, key, NOT_RUNNING, RUNNING)

    def make(self, change: Change, cause: Cause) -> None:
        """Start it, unless this very cause has done so before."""
        key, now = change.subject, self._experiments.log.refresh()
        if key in now.started and now.started[key].author.by == cause.who:
            return
        author = Author(cause.who, cause.why, self._clock())
        try:
            self._experiments.start(programme_of(self._path), key, author)
        except InvalidInputError as error:
            raise CannotChangeError(str(error)) from error

    def take_back(self, change: Change, cause: Cause) -> None:
        """Stop it; one that is over already is left as it is."""
        key = change.subject
        author = Author(cause.who, cause.why, self._clock())

        def decide(now: RunningExperiments) -> Entry | None:
            if key in now.shipments:
                raise CannotChangeError(
                    f"The experiment {key!r} is over, and {now.shipments[key]!r} was shipped."
                )
            is_running = key in now.running
            return Stopped(key, STOPPED, author, self._until(now, key)) if is_running else None

        self._experiments.log.append(decide)

    def _until(self, now: RunningExperiments, key: str) -> datetime:
        started = now.started[key]
        return max(started.at, min(self._clock(), started.ends_at))
