"""How a recommender's ranker is trained: on parts of the past whose end its ensemble does not know.

A lesson is what an ensemble that was fitted on the part before a cut finds there, with what users
liked after it. Whether there is a ranker at all, and with what parameters, is decided on lessons of
the training part alone: it has to put the candidates of held-out users into a better order than the
ensemble's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from feedback_platform.errors import NothingToLearnError
from feedback_platform.learning.ensemble import ENSEMBLE, Ensemble
from feedback_platform.learning.hold_out import HoldOut
from feedback_platform.learning.inner_splits import sampled
from feedback_platform.learning.ranker import (
    CHOICES,
    Ranker,
    RankerFit,
    RankerParameters,
    fit_ranker,
)
from feedback_platform.learning.ranker_impressions import Examples, joined
from feedback_platform.learning.ranker_lists import examples_of

# Of a lesson. More users teach little more, and take two hundred rows each.
MOST_USERS: Final = 2_000


def lesson_of(part: HoldOut, ensemble: Ensemble) -> Examples:
    """Return the candidates of a part's evaluated users, with what they liked afterwards.

    Args:
        part: a split, and what was known at the cut.
        ensemble: fitted on the part's training part and nothing else.

    Raises:
        NothingToLearnError: nobody's candidates hold what they liked.
    """
    split = sampled(part.split, MOST_USERS)
    return examples_of(split, ensemble.sources, part.history(ensemble.item_ids))


def choose_ranker(
    lessons: Sequence[Examples],
    sources: Sequence[str],
    *,
    seed: int,
    choices: Sequence[RankerParameters] = CHOICES,
) -> tuple[Ranker | None, RankerFit | None]:
    """Train a ranker, and say whether it is worth having.

    Args:
        lessons: of inner splits.
        sources: the names of their sources, the ensemble's among them.
        seed: of the held-out users and of the trees' drawing.
        choices: parameters to choose from.

    Returns:
        The ranker, None where the ensemble orders the candidates of held-out users as well, but for
        a standard error; and how the training went, None where the lessons teach nothing.
    """
    try:
        ranker, how = fit_ranker(_all(lessons), sources, seed=seed, choices=choices)
    except NothingToLearnError:
        return None, None
    # The best of several choices beats an equal by chance; by more than an error it rarely does.
    is_better = how.ndcg[how.parameters] - how.alone[ENSEMBLE] > how.errors[ENSEMBLE]
    return ranker if is_better else None, how


def train_ranker(
    lessons: Sequence[Examples],
    sources: Sequence[str],
    parameters: RankerParameters,
    *,
    seed: int,
) -> Ranker | None:
    """Train a ranker with parameters that were chosen before; None where lessons teach nothing."""
    try:
        ranker, _ = fit_ranker(_all(lessons), sources, seed=seed, choices=(parameters,))
    except NothingToLearnError:
        return None
    return ranker


def _all(lessons: Sequence[Examples]) -> Examples:
    if not lessons:
        raise NothingToLearnError("There is no lesson for a ranker.")
    return joined(lessons)
