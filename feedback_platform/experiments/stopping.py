"""Ending an experiment because a person says so, and shipping a variant of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from feedback_platform.adjustment.flags.entries import Author
from feedback_platform.adjustment.rules.changes import CannotChangeError
from feedback_platform.errors import InvalidInputError
from feedback_platform.experiments.decision import Verdict
from feedback_platform.experiments.definition import Experiment
from feedback_platform.experiments.entries import STOPPED, Entry, Shipped, Started, Stopped
from feedback_platform.experiments.looks import Look
from feedback_platform.experiments.running import ExperimentLog, RunningExperiments
from feedback_platform.experiments.shipping import LONGEST_REASON, Shipper, objection


@dataclass(frozen=True)
class Ending:
    """How an experiment is to end.

    Attributes:
        author: who, why, and when by the clock.
        at: until when exposures count, by the time of the events (UTC).
        ship: the variant that everybody gets; nothing to leave what everybody gets as it is.
        override: why it ships although what was found does not say so; nothing for not at all.
    """

    author: Author
    at: datetime
    ship: str = ""
    override: str = ""


def stop(
    log: ExperimentLog, shipper: Shipper, key: str, look: Look | None, ending: Ending
) -> RunningExperiments:
    """End an experiment, or ship a variant of one that is over.

    Args:
        log: of the experiments.
        shipper: changes what is to be changed.
        key: of the experiment.
        look: what was found last, None where nothing was.
        ending: how.

    Raises:
        InvalidInputError: there is no such experiment or variant, it is over, or what was found
            does not allow to ship it and nothing overrides that.
    """
    current = log.refresh()
    started = known(current, key)
    experiment, ship = started.experiment, ending.ship
    against = _objection(experiment, look, ending)
    if key in current.stopped and not ship:
        raise InvalidInputError(
            f"{key!r} is over since {current.stopped[key].at:%Y-%m-%d %H:%M} UTC."
        )
    if ending.at < started.at:
        raise InvalidInputError(
            f"{key!r} started at {started.at:%Y-%m-%d %H:%M} UTC; it cannot end before."
        )
    reason = ending.author.reason
    if against:
        reason = f"{reason} (shipped although: {against}; {ending.override})"
    author = Author(ending.author.by, reason[:LONGEST_REASON], ending.author.at)
    if ship:
        # First what everybody gets, then the end: so nobody falls back in between.
        try:
            shipper.ship(experiment, ship, reason)
        except CannotChangeError as error:
            raise InvalidInputError(f"{key!r} ships nothing: {error}") from error
    decision = _decision(experiment, ship, is_found=not against)

    def decide(now: RunningExperiments) -> Entry | None:
        if key in now.running:
            return Stopped(key, decision, author, min(ending.at, started.ends_at), ship)
        return Shipped(key, ship, author) if ship and now.shipments.get(key) != ship else None

    return log.append(decide)


def known(experiments: RunningExperiments, key: str) -> Started:
    """Return an experiment that was started.

    Raises:
        InvalidInputError: there is none; the text names those there are.
    """
    started = experiments.started.get(key)
    if started is None:
        names = ", ".join(experiments.started) or (
            "none yet; `feedback-platform experiments start` starts one"
        )
        raise InvalidInputError(f"No experiment {key!r} was started. There are: {names}.")
    return started


def _objection(experiment: Experiment, look: Look | None, ending: Ending) -> str:
    """Return what speaks against shipping and is overridden; nothing where nothing does."""
    if not ending.ship:
        if ending.override:
            raise InvalidInputError("--override says why a variant ships; name it with --ship.")
        return ""
    if ending.ship not in experiment.variants:
        raise InvalidInputError(
            f"{experiment.key!r} has no variant {ending.ship!r}; "
            f"it has {', '.join(experiment.variants)}."
        )
    against = objection(look, ending.ship, experiment.control)
    if against and not ending.override.strip():
        raise InvalidInputError(
            f"{ending.ship!r} of {experiment.key!r} does not ship: {against}. "
            "--override REASON ships it all the same, and stands in its history."
        )
    return against


def _decision(experiment: Experiment, ship: str, *, is_found: bool) -> str:
    if not ship or not is_found:
        return STOPPED
    is_control = ship == experiment.control
    return (Verdict.KEEP_CONTROL if is_control else Verdict.SHIP).value
