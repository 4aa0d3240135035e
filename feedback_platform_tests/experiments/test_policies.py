from __future__ import annotations

from typing import Any

import pytest

from feedback_platform.adjustment.flags.definition import Condition, Flag, FlagType
from feedback_platform.errors import InvalidInputError
from feedback_platform.experiments.definition import Lever, Slot
from feedback_platform.experiments.policies import RECOMMENDER, check_apart, check_served
from feedback_platform.learning import training
from feedback_platform_tests.experiments.arms import experiment

LAYOUT = Flag("layout-home", FlagType.STRING, {"grid": "g", "compact": "c"}, "grid")
GONE = Flag("gone", FlagType.STRING, {"grid": "g", "compact": "c"}, "grid", is_enabled=False)
FLAGS = {flag.key: flag for flag in (LAYOUT, GONE)}
VERSIONS = ["20260101T000000Z-1", "20260102T000000Z-2"]
MODEL: dict[str, Any] = {
    "lever": Lever.MODEL,
    "subject": "recommender",
    "variants": {"grid": "champion", "cards": VERSIONS[1]},
}
POLICY: dict[str, Any] = {
    "lever": Lever.RANKING_POLICY,
    "subject": "sidebar",
    "variants": {"grid": "folded", "cards": "popular"},
}
SHARE: dict[str, Any] = {
    "lever": Lever.THRESHOLD,
    "subject": "exploration_share",
    "variants": {"grid": 0.05, "cards": 0.1},
}


@pytest.mark.parametrize("changes", [{}, MODEL, POLICY, SHARE])
def test_what_the_api_can_give_may_run(changes: dict[str, Any]) -> None:
    check_served(experiment(**changes), FLAGS, VERSIONS)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"subject": "none"}, "there is no flag 'none'"),
        ({"subject": "gone"}, "'gone' is disabled"),
        ({"variants": {"grid": "grid", "cards": "cards"}}, "it can be grid, compact"),
        (MODEL | {"subject": "segments"}, "of recommender they are"),
        (MODEL | {"variants": {"grid": "champion", "cards": "x"}}, "has no version 'x'"),
        (POLICY | {"variants": {"grid": "folded", "cards": "fresh"}}, "folded, published, popular"),
        (SHARE | {"subject": "low-click-through"}, "is the same for all users"),
        (SHARE | {"variants": {"grid": 0.05, "cards": 0.2}}, "may be 0 to 0.1, not 0.2"),
        (POLICY | {"audience": (Condition("country", "equals", "AT"),)}, "asks for country"),
    ],
)
def test_what_it_cannot_give_is_refused_with_what_it_can(
    changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidInputError, match="cards-at-home cannot run") as refused:
        check_served(experiment(**changes), FLAGS, VERSIONS)
    assert said in str(refused.value)


def test_nobody_is_given_two_variants_of_one_thing() -> None:
    running = [
        experiment(key="first", slot=Slot("home", 0, 50)),
        experiment(key="other", **POLICY),
    ]
    check_apart(experiment(slot=Slot("home", 50, 100)), running)
    check_apart(experiment(**SHARE), running)
    for slot in (None, Slot("home", 40, 100), Slot("another", 50, 100)):
        with pytest.raises(InvalidInputError, match="first varies the flag 'layout-home' as well"):
            check_apart(experiment(slot=slot), running)


def test_the_recommender_is_called_as_learning_calls_it() -> None:
    assert RECOMMENDER == training.RECOMMENDER
