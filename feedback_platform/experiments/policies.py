"""What the API can vary from user to user, and the refusal of everything else.

A running experiment that changes nothing for anybody would look like one without an effect. So
what is named in its definition is checked where it starts, against what is there to be served.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from feedback_platform.adjustment.flags.definition import SEGMENT, SEGMENT_ID, Flag
from feedback_platform.errors import InvalidInputError
from feedback_platform.experiments.definition import Experiment, Lever, Slot
from feedback_platform.learning.exploration import Exploration

# As learning registers it; its own module brings the learners' libraries along.
RECOMMENDER: Final = "recommender"
# The version of a model that is in use, whichever that is by then.
CHAMPION: Final = "champion"
PLACEMENT: Final = "placement"
# Of whoever asks for a list the API knows nothing else.
LIST_ATTRIBUTES: Final = (SEGMENT, SEGMENT_ID, PLACEMENT)


class Policy(StrEnum):
    """How a list comes about from what was published."""

    # What everybody gets whom no experiment gives anything else.
    FOLDED = "folded"
    PUBLISHED = "published"
    POPULAR = "popular"


@dataclass(frozen=True)
class Bounds:
    """What a number may be, ends included.

    Attributes:
        least, most: the ends.
        meaning: in words.
    """

    least: float
    most: float
    meaning: str


EXPLORATION_SHARE: Final = "exploration_share"
COLD_SHARE: Final = "cold_share"
THRESHOLDS: Final[Mapping[str, Bounds]] = {
    EXPLORATION_SHARE: Bounds(
        0.0, 1 / Exploration.places, "how often one of the first places is drawn"
    ),
    COLD_SHARE: Bounds(
        0.0, 1.0, "how much the session counts beside what is popular for whom no model knows"
    ),
}


def check_served(
    experiment: Experiment, flags: Mapping[str, Flag], versions: Collection[str]
) -> None:
    """Check that the API can give every variant of an experiment.

    Args:
        experiment: which is about to start.
        flags: those there are, by key.
        versions: of the recommender, that are registered.

    Raises:
        InvalidInputError: it cannot; the text says what it can.
    """
    if experiment.lever is Lever.FLAG:
        _check_flag(experiment, flags.get(experiment.subject))
        return
    if experiment.lever is Lever.MODEL:
        _check_versions(experiment, versions)
    elif experiment.lever is Lever.RANKING_POLICY:
        _check_values(experiment, list(Policy))
    else:
        _check_numbers(experiment)
    strange = sorted({each.attribute for each in experiment.audience} - {*LIST_ATTRIBUTES})
    if strange:
        raise _refused(
            experiment,
            f"its audience asks for {', '.join(strange)}, of which a request for a list says "
            f"nothing; it may ask for {', '.join(LIST_ATTRIBUTES)}",
        )


def check_apart(experiment: Experiment, running: Collection[Experiment]) -> None:
    """Check that nobody is given two variants of one thing.

    Raises:
        InvalidInputError: another running experiment varies the same for the same users.
    """
    for other in running:
        is_same = (other.lever, other.subject) == (experiment.lever, experiment.subject)
        if is_same and not _are_apart(experiment.slot, other.slot):
            raise _refused(
                experiment,
                f"{other.key} varies the {other.lever} {other.subject!r} as well; stop that one, "
                "or give both ranges of one exclusion group that do not overlap",
            )


def _are_apart(one: Slot | None, other: Slot | None) -> bool:
    if one is None or other is None or one.group != other.group:
        return False
    return one.ends <= other.begins or other.ends <= one.begins


def _check_flag(experiment: Experiment, flag: Flag | None) -> None:
    if flag is None:
        raise _refused(experiment, f"there is no flag {experiment.subject!r}")
    if not flag.is_enabled:
        raise _refused(experiment, f"the flag {flag.key!r} is disabled, so nobody gets a value")
    _check_values(experiment, list(flag.variants))


def _check_versions(experiment: Experiment, versions: Collection[str]) -> None:
    if experiment.subject != RECOMMENDER:
        raise _refused(
            experiment,
            f"of the model {experiment.subject!r} users are not given different versions; "
            f"of {RECOMMENDER} they are",
        )
    unknown = [each for each in experiment.variants.values() if each not in {CHAMPION, *versions}]
    if unknown:
        raise _refused(
            experiment,
            f"the model {RECOMMENDER} has no version {unknown[0]!r}; "
            f"`feedback-platform models list --model {RECOMMENDER}` shows them, and {CHAMPION!r} "
            "is whichever is in use",
        )


def _check_values(experiment: Experiment, accepted: list[str]) -> None:
    unknown = [each for each in experiment.variants.values() if each not in accepted]
    if unknown:
        raise _refused(
            experiment,
            f"the {experiment.lever.replace('_', ' ')} {experiment.subject!r} cannot be "
            f"{unknown[0]!r}; it can be {', '.join(accepted)}",
        )


def _check_numbers(experiment: Experiment) -> None:
    bounds = THRESHOLDS.get(experiment.subject)
    if bounds is None:
        raise _refused(
            experiment,
            f"the number {experiment.subject!r} is the same for all users; for each of them the "
            f"API varies {', '.join(THRESHOLDS)}",
        )
    for value in experiment.variants.values():
        if not bounds.least <= float(value) <= bounds.most:
            raise _refused(
                experiment,
                f"{experiment.subject}, {bounds.meaning}, may be {bounds.least:g} to "
                f"{bounds.most:g}, not {value}",
            )


def _refused(experiment: Experiment, why: str) -> InvalidInputError:
    return InvalidInputError(f"The experiment {experiment.key} cannot run: {why}.")
