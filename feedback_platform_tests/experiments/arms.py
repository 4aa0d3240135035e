"""Arms made of users, and experiments to read them by."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from feedback_platform.experiments.definition import Design, Experiment, Goal, Lever
from feedback_platform.experiments.sums import TOTAL, Sums, pairs

DESIGN = Design(timedelta(days=28))


def sums_of(**figures: npt.ArrayLike) -> Sums:
    """The sums over users of whom each has a place in every array."""
    users = {name: np.asarray(values, dtype=float) for name, values in figures.items()}
    return Sums(
        len(next(iter(users.values()))),
        {name: float(values.sum()) for name, values in users.items()},
        {
            (first, second): float(users[first] @ users[second])
            for first, second in pairs(tuple(users))
        },
    )


def of_shares(users: int, successes: int) -> Sums:
    """The sums over users of whom each is a success or not."""
    return Sums(users, {TOTAL: float(successes)}, {(TOTAL, TOTAL): float(successes)})


def experiment(**changes: Any) -> Experiment:
    """An experiment over a flag, in halves, that decides by the share of users who convert."""
    given: dict[str, Any] = {
        "key": "cards-at-home",
        "hypothesis": "Cards are looked at longer, so more is bought.",
        "lever": Lever.FLAG,
        "subject": "layout-home",
        "variants": {"grid": "grid", "cards": "compact"},
        "control": "grid",
        "split": {"grid": 50.0, "cards": 50.0},
        "primary": (Goal("converting_users", 0.02),),
        "design": DESIGN,
    }
    return Experiment(**{**given, **changes})
