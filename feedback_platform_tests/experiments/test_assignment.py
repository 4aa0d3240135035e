from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency

from feedback_platform.adjustment.flags.context import Context
from feedback_platform.adjustment.flags.definition import Condition, Flag, FlagType, Rule
from feedback_platform.adjustment.flags.evaluation import evaluate
from feedback_platform.experiments.assignment import (
    Absence,
    CompiledExperiment,
    Participant,
)
from feedback_platform.experiments.definition import Experiment, HoldOut, Slot
from feedback_platform.experiments.sample_ratio import MISMATCH, sample_ratio_p_value
from feedback_platform_tests.experiments.arms import experiment

NOBODY = HoldOut()
TENTH = HoldOut(10.0)
THREE: dict[str, Any] = {
    "variants": {"a": "1", "b": "2", "c": "3"},
    "control": "a",
    "split": {"a": 50.0, "b": 30.0, "c": 20.0},
}
user_ids = st.text(max_size=30)


def variant_of(
    user_id: str, definition: Experiment, holdout: HoldOut = NOBODY, **of_user: Any
) -> str | Absence:
    participant = Participant(user_id, of_user.pop("attributes", {}), **of_user)
    return CompiledExperiment(definition, holdout).assign(participant)


@pytest.mark.parametrize(
    ("begins", "ends", "group", "users"),
    [(0, 40, "namespace1", 4_042), (40, 100, "namespace1", 5_958), (0, 40, "namespace2", 3_984)],
)
def test_an_exclusion_group_is_a_namespace_of_growthbook(
    begins: float, ends: float, group: str, users: int
) -> None:
    """The counts are those that GrowthBook's own tests expect of the ids 0 to 9,999."""
    member = CompiledExperiment(experiment(slot=Slot(group, begins, ends)), NOBODY)

    assigned = [member.assign(Participant(str(number), {})) for number in range(10_000)]

    assert sum(not isinstance(each, Absence) for each in assigned) == users


@given(user_ids)
def test_a_flag_that_is_split_alike_gives_everybody_the_same_variant(user_id: str) -> None:
    """There is one hash and one rule for ranges."""
    definition = experiment(percentage=60.0, **THREE)
    split = Rule("split", THREE["split"], percentage=60.0, seed=definition.key)
    variants = {"none": "", "a": "a", "b": "b", "c": "c"}
    flag = Flag("layout", FlagType.STRING, variants, "none", rules=(split,))

    found = variant_of(user_id, definition)

    switched = evaluate(flag, Context(user_id, {})).variant if user_id else None
    if switched is not None:
        assert switched == ("none" if found is Absence.NOT_INCLUDED else found)


@given(user_ids, st.floats(0, 100), st.floats(0, 100))
def test_who_takes_part_keeps_the_variant_when_more_do(
    user_id: str, first: float, second: float
) -> None:
    fewer, more = sorted((first, second))
    before = variant_of(user_id, experiment(percentage=fewer, **THREE))
    after = variant_of(user_id, experiment(percentage=more, **THREE))

    assert before in {after, Absence.NOT_INCLUDED}


@given(user_ids, st.floats(0, 10), st.floats(0, 10))
def test_who_is_held_out_stays_so_when_more_are(user_id: str, first: float, second: float) -> None:
    fewer, more = sorted((first, second))
    before = variant_of(user_id, experiment(), HoldOut(fewer))
    after = variant_of(user_id, experiment(), HoldOut(more))

    # And nobody else changes the variant for that.
    assert after in {before, Absence.HELD_OUT}


@given(
    user_ids,
    st.lists(st.integers(0, 1000).map(lambda place: place / 10), min_size=2, max_size=5),
)
def test_nobody_is_in_two_slots_of_a_group(user_id: str, bounds: list[float]) -> None:
    edges = sorted({0.0, *bounds, 100.0})
    slots = [Slot("home", *pair) for pair in pairwise(edges)]

    assigned = [
        variant_of(user_id, experiment(key=f"e{number}", slot=slot))
        for number, slot in enumerate(slots)
    ]

    # The slots leave no gap, so everybody is in exactly one.
    assert sum(each is not Absence.OTHER_SLOT for each in assigned) == 1


@pytest.mark.parametrize(
    "opted_out", [{"is_personalised": False}, {"is_researched": False}], ids=str
)
@given(user_id=user_ids)
def test_who_opted_out_takes_part_in_none(opted_out: dict[str, bool], user_id: str) -> None:
    assert variant_of(user_id, experiment(), NOBODY, **opted_out) is Absence.OPTED_OUT


def test_only_the_audience_takes_part() -> None:
    adults = experiment(
        audience=(Condition("country", "in", ["AT"]), Condition("age", "above", 17))
    )

    assert variant_of("u", adults, attributes={"country": "AT", "age": 17}) is (
        Absence.NOT_IN_AUDIENCE
    )
    assert variant_of("u", adults) is Absence.NOT_IN_AUDIENCE
    found = variant_of("u", adults, attributes={"country": "AT", "age": 18})
    assert found == variant_of("u", experiment())
    assert found in adults.variants


def test_a_new_seed_draws_anew() -> None:
    definitions = experiment(), experiment(seed="again")
    first, second = (
        [variant_of(str(number), each) for number in range(200)] for each in definitions
    )

    assert first != second


def test_a_hundred_thousand_users_are_split_as_they_should_be() -> None:
    """Fixed ids and a fixed hash: it cannot fail by chance."""
    first = CompiledExperiment(experiment(key="first", percentage=80.0, **THREE), TENTH)
    second = CompiledExperiment(experiment(key="second", slot=Slot("home", 0, 50)), TENTH)
    users = [Participant(f"user-{number}", {}) for number in range(100_000)]

    pairs = Counter((str(first.assign(user)), str(second.assign(user))) for user in users)

    of_first, of_second = Counter[str](), Counter[str]()
    for (one, other), count in pairs.items():
        of_first[one] += count
        of_second[other] += count
    held_out = of_first.pop(Absence.HELD_OUT)
    assert of_second.pop(Absence.HELD_OUT) == held_out
    expected = {"in": 10.0, "out": 90.0}
    assert sample_ratio_p_value({"in": held_out, "out": 100_000 - held_out}, expected) > MISMATCH
    assert sample_ratio_p_value(of_first, {**THREE["split"], Absence.NOT_INCLUDED: 25.0}) > MISMATCH
    assert sample_ratio_p_value(of_second, {"grid": 25, "cards": 25, Absence.OTHER_SLOT: 50}) > (
        MISMATCH
    )
    # What somebody gets in one says nothing about the other.
    table = [[pairs[one, other] for other in of_second] for one in of_first]
    assert chi2_contingency(table).pvalue > MISMATCH


def test_the_hold_out_says_nothing_about_the_variant() -> None:
    """Who is held out would have been split like everybody else."""
    plain, without = (
        CompiledExperiment(experiment(), NOBODY),
        CompiledExperiment(experiment(), TENTH),
    )
    held_out: Counter[str] = Counter()
    for number in range(100_000):
        user = Participant(f"user-{number}", {})
        if without.assign(user) is Absence.HELD_OUT:
            held_out[plain.assign(user)] += 1

    assert sample_ratio_p_value(held_out, {"grid": 50, "cards": 50}) > MISMATCH
