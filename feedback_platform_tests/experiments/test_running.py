"""What runs, in memory and in a directory, and who gets what by it."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.adjustment.flags.definition import Condition
from feedback_platform.adjustment.flags.entries import Author
from feedback_platform.errors import InvalidInputError, LakeUnavailableError
from feedback_platform.experiments.assignment import Absence, CompiledExperiment, Participant
from feedback_platform.experiments.definition import (
    Design,
    Experiment,
    Goal,
    Guard,
    HoldOut,
    Lever,
    OnShip,
    Slot,
)
from feedback_platform.experiments.entries import STOPPED, Entry, Shipped, Started, Stopped
from feedback_platform.experiments.running import ExperimentLog, RunningExperiments
from feedback_platform.lake import keys
from feedback_platform.lake.numbered_log import Store
from feedback_platform.lake.store import Lake
from feedback_platform_tests.adjustment.flags.memory_store import MemoryStore
from feedback_platform_tests.experiments.arms import experiment

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ADA = Author("person:ada", "it was planned so", NOON)
EVERYTHING = experiment(
    key="everything",
    percentage=80.0,
    seed="another",
    split={"grid": 33.3, "cards": 66.7},
    audience=(Condition("country", "in", ["AT", "DE"]), Condition("age", "above", 17)),
    slot=Slot("home", 12.5, 50.0),
    primary=(Goal("converting_users", 0.02), Goal("clicks_per_user", 0.5)),
    secondary=("average_rating",),
    guards=(Guard("bounce_rate", 0.03),),
    design=Design(
        timedelta(hours=36),
        alpha=0.01,
        power=0.9,
        is_sequential=False,
        tuned_for=1_000,
        minimum_users=50,
        cuped_window=timedelta(minutes=90),
    ),
    on_ship=OnShip.APPLY,
)


@pytest.fixture(params=["memory", "directory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return MemoryStore() if request.param == "memory" else Lake((tmp_path / "lake").as_uri())


def started(definition: Experiment, holdout: HoldOut = HoldOut()) -> Started:  # noqa: B008 - frozen
    return Started(definition, holdout, ADA, NOON)


def of(*entries: Entry) -> RunningExperiments:
    found = RunningExperiments()
    for position, entry in enumerate(entries, start=1):
        found = found.after(position, entry)
    return found


def test_what_one_process_starts_another_reads_as_it_was_defined(store: Store) -> None:
    one, other = ExperimentLog(store), ExperimentLog(store)
    assert other.refresh() == RunningExperiments()

    one.append(lambda _: started(EVERYTHING, HoldOut(2.0)))

    found = other.refresh()
    assert found.running == {"everything": EVERYTHING}
    assert found.started["everything"] == started(EVERYTHING, HoldOut(2.0))
    assert found.started["everything"].ends_at == NOON + timedelta(hours=36)
    # A process that comes later reads everything at once.
    assert ExperimentLog(store).refresh() == found


def test_what_is_stopped_assigns_nobody_and_what_is_shipped_is_known(store: Store) -> None:
    log = ExperimentLog(store)
    policy = experiment(
        key="policy",
        lever=Lever.RANKING_POLICY,
        subject="home",
        variants={"own": "personalised", "all": "popular"},
        control="own",
        split={"own": 50.0, "all": 50.0},
    )
    log.append(lambda _: started(policy))
    user = Participant("u", {})
    assert log.refresh().assigned(Lever.RANKING_POLICY, "home", user) is not None

    log.append(lambda _: Stopped("policy", STOPPED, ADA, NOON + timedelta(days=1)))

    found = log.refresh()
    assert (found.running, found.assignments(user), found.shipped) == ({}, (), {})
    log.append(lambda _: Shipped("policy", "all", ADA))
    assert ExperimentLog(store).refresh().shipped == {(Lever.RANKING_POLICY, "home"): "popular"}


def test_a_look_for_something_new_reads_one_object() -> None:
    store = MemoryStore()
    log = ExperimentLog(store)
    log.append(lambda _: started(experiment()))
    before, store.reads = log.refresh(), 0

    assert log.refresh() is before
    assert store.reads == 1


def test_where_the_store_fails_what_was_known_is_still_there() -> None:
    store = MemoryStore()
    log = ExperimentLog(store)
    log.append(lambda _: started(experiment()))
    store.is_failing = True
    with pytest.raises(LakeUnavailableError):
        log.refresh()
    store.is_failing = False
    assert list(log.refresh().running) == ["cards-at-home"]


def test_of_many_that_start_experiments_at_once_none_is_lost(tmp_path: Path) -> None:
    lake = Lake((tmp_path / "lake").as_uri())
    names = [f"e{number}" for number in range(6)]
    gate = threading.Barrier(len(names))

    def begin(name: str) -> None:
        log = ExperimentLog(lake)
        gate.wait()
        log.append(lambda _: started(experiment(key=name)))

    threads = [threading.Thread(target=begin, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(ExperimentLog(lake).refresh().running) == names


def test_of_two_that_start_one_experiment_at_once_one_is_told_that_it_runs() -> None:
    store = MemoryStore()
    one, other = ExperimentLog(store), ExperimentLog(store)
    decided = []

    def slowly(current: RunningExperiments) -> Entry:
        decided.append(current.position)
        if len(decided) == 1:
            other.append(lambda _: replace(started(experiment()), at=NOON + timedelta(hours=1)))
        if current.running:
            raise InvalidInputError("it runs")
        return started(experiment())

    with pytest.raises(InvalidInputError, match="it runs"):
        one.append(slowly)
    # What it knew was too little, so it decided anew.
    assert decided == [0, 1]


def test_a_damaged_entry_is_told_and_the_others_count(store: Store) -> None:
    ExperimentLog(store).append(lambda _: started(experiment()))
    store.put(keys.experiment_entry(2), b'{"kind": "started"}', mode="create")
    late = ExperimentLog(store)
    late.refresh()
    late.append(lambda _: started(experiment(key="second")))

    found = late.refresh()

    assert list(found.running) == ["cards-at-home", "second"]
    (problem,) = found.problems
    assert "000000000002.json is damaged" in problem


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([started(experiment()), started(experiment())], "was started before"),
        ([Stopped("none", STOPPED, ADA, NOON)], "was not started"),
        ([started(experiment()), Shipped("cards-at-home", "rows", ADA)], "no variant 'rows'"),
        (
            [started(experiment()), *[Stopped("cards-at-home", STOPPED, ADA, NOON)] * 2],
            "was stopped before",
        ),
    ],
    ids=str,
)
def test_an_entry_follows_what_is_there(entries: list[Entry], said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        of(*entries)


@given(user_id=st.text(max_size=20), is_personalised=st.booleans(), is_researched=st.booleans())
def test_a_user_is_assigned_as_the_definition_at_the_start_says(
    *, user_id: str, is_personalised: bool, is_researched: bool
) -> None:
    definition, holdout = experiment(percentage=70.0), HoldOut(10.0)
    user = Participant(user_id, {}, is_personalised, is_researched)
    found = of(started(definition, holdout))

    expected = CompiledExperiment(definition, holdout).assign(user)

    assignment = found.assigned(Lever.FLAG, "layout-home", user)
    if isinstance(expected, Absence):
        assert assignment is None
        assert found.assignments(user) == ()
    else:
        assert assignment is not None
        assert (assignment.experiment_id, assignment.variant) == ("cards-at-home", expected)
        assert assignment.value == {"grid": "grid", "cards": "compact"}[expected]
        assert found.assignments(user) == (assignment,)


@given(st.text(max_size=20))
def test_of_two_slots_that_vary_the_same_thing_a_user_is_in_one_at_most(user_id: str) -> None:
    slots: dict[str, Any] = {"a": Slot("home", 0, 40), "b": Slot("home", 40, 90)}
    found = of(*(started(experiment(key=key, slot=slot)) for key, slot in slots.items()))
    user = Participant(user_id, {})

    assignments = found.assignments(user)

    assert len(assignments) <= 1
    assert found.assigned(Lever.FLAG, "layout-home", user) == next(iter(assignments), None)
    assert found.assigned(Lever.FLAG, "other", user) is None
    assert found.subjects(Lever.FLAG) == {"layout-home"}
    assert found.subjects(Lever.MODEL) == frozenset()


def test_what_was_shipped_last_of_a_thing_counts() -> None:
    first, second = experiment(key="first"), experiment(key="second")
    over = [Stopped(key, STOPPED, ADA, NOON) for key in ("first", "second")]
    found = of(
        started(first),
        replace(over[0], shipped="cards"),
        started(second),
        replace(over[1], shipped="grid"),
    )
    assert found.shipped == {(Lever.FLAG, "layout-home"): "grid"}
    again = found.after(5, Shipped("first", "cards", ADA))
    assert again.shipped == {(Lever.FLAG, "layout-home"): "compact"}
