"""One look at an experiment: who met it, what they did, what that says, and what follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from feedback_platform.adjustment.rules.metrics import SETTLING
from feedback_platform.experiments.analysis import Analysis, analyse
from feedback_platform.experiments.decision import Decision, Verdict, decide, winner
from feedback_platform.experiments.definition import Experiment
from feedback_platform.experiments.entries import Started, Stopped
from feedback_platform.experiments.exposure import keep_exposed
from feedback_platform.experiments.looks import Look
from feedback_platform.experiments.observing import observe_metrics
from feedback_platform.experiments.results import results
from feedback_platform.experiments.tables import Tables

# What an experiment reads at each look follows how long it has run. So does the time between two
# looks, up to an hour: a young one is looked at every minute, and none costs more than it brings.
_PAUSE_SHARE: Final = 0.01
_LONGEST_PAUSE: Final = timedelta(hours=1)
# The verdict that counts for the experiment is the first of these that a variant has.
_ORDER: Final = (
    Verdict.INVALID,
    Verdict.SHIP,
    Verdict.STOP,
    Verdict.WAIT,
    Verdict.KEEP_CONTROL,
)


def is_due(started: Started, stopped: Stopped | None, last: Look | None, newest: datetime) -> bool:
    """Return whether it is time to look again, by the time of the events.

    Args:
        started, stopped: the experiment; None while it runs.
        last: what was found last, None before the first look.
        newest: when the newest event happened that is known (UTC).
    """
    if newest < started.at:
        return False
    if last is None:
        return True
    if last.is_final:
        return False
    if stopped is not None or newest - SETTLING >= started.ends_at:
        return newest > last.read_at
    pause = min(_LONGEST_PAUSE, (last.read_at - started.at) * _PAUSE_SHARE)
    return newest - last.read_at >= pause and newest > last.read_at


def look_at(
    tables: Tables, started: Started, stopped: Stopped | None, newest: datetime, batch: int
) -> Look:
    """Return what an experiment is found to be now.

    Args:
        tables: of the layers.
        started, stopped: the experiment; None while it runs.
        newest: when the newest event happened that is known (UTC).
        batch: the newest batch of events that is known.
    """
    experiment = started.experiment
    ends = started.ends_at if stopped is None else min(started.ends_at, stopped.at)
    until = min(ends, newest)
    exposure = keep_exposed(tables, experiment, started.at, until)
    observed = observe_metrics(tables, experiment, started.at, until, newest)
    analysis = analyse(experiment, exposure.users, observed)
    is_over = until == started.ends_at and newest - SETTLING >= until
    decisions = decide(experiment, analysis, is_over=is_over)
    if stopped is not None:
        decisions = {name: _ended(each) for name, each in decisions.items()}
    verdict, named, reason = overall(experiment, analysis, decisions)
    return Look(
        batch=batch,
        read_at=newest,
        # What was seen just before the end has to settle, too.
        is_final=newest - SETTLING >= ends and (stopped is not None or is_over),
        exposure=exposure,
        verdict=verdict.value,
        winner=named,
        reason=reason,
        results=tuple(results(experiment, analysis, decisions)),
    )


def overall(
    experiment: Experiment, analysis: Analysis, decisions: Mapping[str, Decision]
) -> tuple[Verdict, str, str]:
    """Return what follows for an experiment as a whole, the variant to ship, if any, and why."""
    shipping = winner(experiment, analysis, decisions)
    if shipping is not None:
        return Verdict.SHIP, shipping, f"{shipping}: {decisions[shipping].reason}"
    verdict = min((each.verdict for each in decisions.values()), key=_ORDER.index)
    reasons = dict.fromkeys(
        each.reason
        if len(decisions) == 1 or verdict is Verdict.INVALID
        else f"{name}: {each.reason}"
        for name, each in decisions.items()
        if each.verdict is verdict
    )
    return verdict, "", "; ".join(reasons)


def _ended(decision: Decision) -> Decision:
    """Return what follows once there is nothing to wait for any more."""
    if decision.verdict is not Verdict.WAIT:
        return decision
    return replace(
        decision,
        verdict=Verdict.KEEP_CONTROL,
        reason=f"ended before it was decided: {decision.reason}",
    )
