"""What an experiment needs, and whether the users that there are bring it within its horizon."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from feedback_platform.experiments.definition import Experiment, Goal, HoldOut
from feedback_platform.experiments.metrics import METRICS
from feedback_platform.experiments.planning import (
    Baseline,
    Shares,
    detectable_effect,
    users_needed,
    users_needed_sequentially,
)

_PERCENT: Final = 100
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Plan:
    """What it takes to find the minimum effect of a metric in every variant.

    Attributes:
        experiment, metric: which.
        baseline: what the metric is now.
        minimum_effect: what is to be found, with its sign.
        once: participants in all arms that a reading at the horizon needs.
        sequential: participants after which it is found at the latest, read at any time.
        tuned_for: users of two arms that the reading at the horizon needs; a confidence sequence
            that is tuned for these is a good one.
        sequential_tuned: as `sequential`, if it were.
        arms: variant → participants, of those that the design needs.
        available: participants that come within the horizon; None where nobody knows.
        detectable_effect: the smallest effect that these find; None where it is unknown or none.
        days: how long it takes until enough have come, in proportion; None where it is unknown.
    """

    experiment: str
    metric: str
    baseline: float
    minimum_effect: float
    once: int
    sequential: int
    tuned_for: int
    sequential_tuned: int
    arms: Mapping[str, int]
    available: int | None
    detectable_effect: float | None
    days: int | None

    @property
    def needed(self) -> int:
        """Participants in all arms that the design needs."""
        return sum(self.arms.values())


def reach(experiment: Experiment, holdout: HoldOut) -> float:
    """Return the share of the audience that takes part; three hashes that are independent."""
    slot = experiment.slot
    group = (slot.ends - slot.begins) / _PERCENT if slot is not None else 1.0
    return (1 - holdout.percentage / _PERCENT) * group * experiment.percentage / _PERCENT


def plan(
    experiment: Experiment, holdout: HoldOut, goal: Goal, baseline: Baseline, users: int | None
) -> Plan:
    """Return what it takes to find the minimum effect of a metric.

    Args:
        experiment: which.
        holdout: who takes part in none.
        goal: the metric, one of the deciding ones.
        baseline: what the metric is now.
        users: of the audience, who come within a time as long as the horizon; None if unknown.

    Raises:
        InvalidInputError: the metric cannot change by so much.
    """
    design = experiment.design
    is_up = METRICS[goal.metric].is_better_high
    effect = goal.minimum_effect if is_up else -goal.minimum_effect
    comparisons = len(experiment.primary) * len(experiment.treatments)
    split = {
        name: share / sum(experiment.split.values()) for name, share in experiment.split.items()
    }
    # The smallest variant is found last.
    smallest = min(split[name] for name in experiment.treatments)
    shares = Shares(split[experiment.control], smallest)
    given = design, shares, comparisons
    once = users_needed(baseline, effect, *given)
    sequential = users_needed_sequentially(baseline, effect, *given)
    tuned_for = max(round(once * (shares.control + shares.treatment)), 1)
    tuned = replace(design, tuned_for=tuned_for), shares, comparisons
    needed = sequential if design.is_sequential else once
    available = None if users is None else int(users * reach(experiment, holdout))
    return Plan(
        experiment=experiment.key,
        metric=goal.metric,
        baseline=baseline.mean,
        minimum_effect=effect,
        once=round(once),
        sequential=round(sequential),
        tuned_for=tuned_for,
        sequential_tuned=round(users_needed_sequentially(baseline, effect, *tuned)),
        arms={name: round(needed * share) for name, share in split.items()},
        available=available,
        detectable_effect=(
            detectable_effect(baseline, available, *given, is_up=is_up) if available else None
        ),
        days=math.ceil(needed / available * (design.horizon / _DAY)) if available else None,
    )
