from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from feedback_platform.adjustment.flags.definition import Condition
from feedback_platform.adjustment.flags.entries import Author
from feedback_platform.errors import InvalidInputError
from feedback_platform.experiments.definition import Experiment, HoldOut, Lever, Slot
from feedback_platform.experiments.entries import STOPPED, Stopped
from feedback_platform.experiments.running import ExperimentLog
from feedback_platform.experiments.starting import Installation, start
from feedback_platform_tests.adjustment.flags.definitions import flag
from feedback_platform_tests.adjustment.flags.memory_store import MemoryStore
from feedback_platform_tests.experiments.arms import experiment

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ADA = Author("person:ada", "it was planned so", NOON)
LAYOUTS = {"grid": "grid", "cards": "cards"}
HERE = Installation({"layout": flag()}, {"recommender": ["v1", "v2"]})


def layout(**changes: Any) -> Experiment:
    return experiment(**{"subject": "layout", "variants": LAYOUTS, **changes})


def other(lever: Lever, subject: str, first: str | float, second: str | float) -> Experiment:
    return experiment(
        lever=lever, subject=subject, variants={"grid": first, "cards": second}, control="grid"
    )


def begin(
    definition: Experiment,
    log: ExperimentLog | None = None,
    holdout: HoldOut = HoldOut(),  # noqa: B008 - frozen
    installation: Installation = HERE,
) -> None:
    start(log or ExperimentLog(MemoryStore()), definition, holdout, installation, ADA, NOON)


@pytest.mark.parametrize(
    "definition",
    [
        layout(),
        other(Lever.MODEL, "recommender", "v1", "v2"),
        other(Lever.MODEL, "recommender", "champion", "v2"),
        other(Lever.RANKING_POLICY, "anywhere", "personalised", "popular"),
        other(Lever.RANKING_POLICY, "anywhere", "personalised", "published"),
        other(Lever.THRESHOLD, "cold_share", 0.0, 1.0),
        other(Lever.THRESHOLD, "exploration_share", 0.0, 0.1),
    ],
    ids=lambda each: each.lever,
)
def test_what_is_there_can_be_varied(definition: Experiment) -> None:
    log = ExperimentLog(MemoryStore())
    begin(definition, log)
    assert list(log.refresh().running) == [definition.key]


@pytest.mark.parametrize(
    ("definition", "said"),
    [
        (layout(subject="colour"), "no flag 'colour'. There are: layout"),
        (layout(variants={"grid": "grid", "cards": "rows"}), "no variant of the flag 'layout'"),
        (other(Lever.MODEL, "ranker", "v1", "v2"), "no model 'ranker'. There are: recommender"),
        (other(Lever.MODEL, "recommender", "v1", "v3"), "'v3'. There are: v1, v2, champion"),
        (other(Lever.RANKING_POLICY, "home", "popular", "fresh"), "no ranking policy 'fresh'"),
        (other(Lever.THRESHOLD, "patience", 1.0, 2.0), "no threshold 'patience'"),
        (other(Lever.THRESHOLD, "exploration_share", 0.0, 0.5), "from 0 to 0.1"),
        (layout(secondary=("joy",)), "no metric 'joy'"),
    ],
    ids=str,
)
def test_what_is_not_there_cannot_be_varied(definition: Experiment, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        begin(definition)


def test_an_audience_of_lists_asks_for_what_is_known_of_their_users() -> None:
    policy = other(Lever.RANKING_POLICY, "home", "personalised", "popular")
    segment, country = (Condition(name, "equals", "x") for name in ("segment", "country"))
    begin(replace(policy, audience=(segment,)))
    with pytest.raises(InvalidInputError, match="asks for 'country'"):
        begin(replace(policy, audience=(segment, country)))
    begin(layout(audience=(country,)))


def test_a_disabled_flag_cannot_be_varied() -> None:
    disabled = Installation({"layout": flag(state="disabled")}, {})
    with pytest.raises(InvalidInputError, match="flags set layout --enable"):
        begin(layout(), installation=disabled)


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (layout(), "runs since 2026-03-02 12:00"),
        (layout(key="b"), "would get two variants"),
        (layout(key="b", slot=Slot("away", 50, 100)), "would get two variants"),
        (layout(key="b", slot=Slot("home", 49, 100)), "overlaps with 'cards-at-home'"),
        (layout(key="b", seed="cards-at-home"), "has the seed of 'cards-at-home'"),
    ],
    ids=str,
)
def test_an_experiment_gets_into_the_way_of_no_other(second: Experiment, said: str) -> None:
    log = ExperimentLog(MemoryStore())
    begin(layout(slot=Slot("home", 0, 50)), log)
    with pytest.raises(InvalidInputError, match=said):
        begin(second, log)


def test_two_slots_of_a_group_may_vary_the_same_thing() -> None:
    log = ExperimentLog(MemoryStore())
    for key, slot in {"a": Slot("home", 0, 50), "b": Slot("home", 50, 100)}.items():
        begin(layout(key=key, slot=slot), log)
    assert list(log.refresh().running) == ["a", "b"]


def test_what_ran_before_does_not_run_again_and_makes_room_for_others() -> None:
    log = ExperimentLog(MemoryStore())
    begin(layout(), log)
    log.append(lambda _: Stopped("cards-at-home", STOPPED, ADA, NOON))
    with pytest.raises(InvalidInputError, match="another name"):
        begin(layout(), log)
    begin(layout(key="again"), log)
    assert list(log.refresh().running) == ["again"]


@pytest.mark.parametrize("holdout", [HoldOut(1.0), HoldOut(2.0, "other"), HoldOut()], ids=str)
def test_the_hold_out_lets_nobody_go(holdout: HoldOut) -> None:
    log = ExperimentLog(MemoryStore())
    begin(layout(), log, HoldOut(2.0))
    threshold = other(Lever.THRESHOLD, "exploration_share", 0.0, 0.1)
    with pytest.raises(InvalidInputError, match="for ever"):
        begin(experiment(**{**vars(threshold), "key": "b"}), log, holdout)
    begin(experiment(**{**vars(threshold), "key": "b"}), log, HoldOut(3.0))
