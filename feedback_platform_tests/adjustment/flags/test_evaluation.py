"""What a flag is for whom, and why."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from feedback_platform.adjustment.flags.bucketing import Bucketing
from feedback_platform.adjustment.flags.changes import with_rollout
from feedback_platform.adjustment.flags.context import (
    Facts,
    InvalidContextError,
    TargetingKeyMissingError,
    context_of,
)
from feedback_platform.adjustment.flags.evaluation import CompiledFlag, Reason, evaluate
from feedback_platform_tests.adjustment.flags.definitions import flag, person, switch

AUSTRIA = {"attribute": "country", "equals": "AT"}
FANS = {"attribute": "segment", "in": ["fans"]}
USERS = [f"user-{number}" for number in range(1000)]


def outcome(*rules: dict[str, Any], who: Any = None, **entries: Any) -> tuple[str, Reason]:
    found = evaluate(flag(*rules, **entries), person() if who is None else who)
    return found.variant, found.reason


def test_a_flag_without_rules_is_its_default() -> None:
    assert outcome() == ("list", Reason.STATIC)


def test_a_flag_that_is_disabled_leaves_the_value_to_the_program_that_asks() -> None:
    found = evaluate(switch(state="disabled"), person())
    assert (found.value, found.variant, found.reason) == (None, "", Reason.DISABLED)


def test_the_first_rule_whose_conditions_all_hold_decides() -> None:
    rules: list[dict[str, Any]] = [
        {"when": [AUSTRIA, {"attribute": "age", "at_least": 18}], "variant": "grid"},
        {"when": [AUSTRIA], "variant": "cards"},
        {"when": [{"attribute": "country", "present": True}], "variant": "list"},
    ]
    matched = Reason.TARGETING_MATCH
    assert outcome(*rules, who=person(country="AT", age=30)) == ("grid", matched)
    assert outcome(*rules, who=person(country="AT", age=7)) == ("cards", matched)
    assert outcome(*rules, who=person(country="DE")) == ("list", matched)
    assert outcome(*rules, who=person()) == ("list", Reason.STATIC)


def test_metadata_say_which_revision_and_which_rule_decided() -> None:
    compiled = CompiledFlag(flag({"when": [AUSTRIA], "variant": "grid"}), revision=7)
    assert compiled.evaluate(person(country="AT")).metadata == {"revision": 7, "rule": "rule 0"}
    assert compiled.evaluate(person()).metadata == {"revision": 7}


def test_who_is_in_no_part_of_a_split_goes_on_to_the_next_rule() -> None:
    rules: list[dict[str, Any]] = [{"variant": "cards", "percentage": 1}, {"variant": "grid"}]
    found = {outcome(*rules, who=person(user)) for user in USERS}
    assert found == {("cards", Reason.SPLIT), ("grid", Reason.TARGETING_MATCH)}


def test_a_split_needs_to_know_who_asks() -> None:
    with pytest.raises(TargetingKeyMissingError, match="layout"):
        outcome({"variant": "cards", "percentage": 50}, who=person(None))
    # Only when it comes to that, and not before the rollout begins or after it ended.
    assert outcome({"when": [AUSTRIA], "split": {"cards": 100}}, who=person(None))[0] == "list"
    assert outcome({"variant": "cards", "percentage": 0}, who=person(None))[0] == "list"
    assert outcome({"variant": "cards", "percentage": 100}, who=person(None))[0] == "cards"


@pytest.mark.parametrize(
    "rule",
    [
        {"variant": "cards", "percentage": 99.99},
        {"split": {"cards": 50, "grid": 50}},
        {"when": [FANS], "variant": "cards"},
        {"when": [{"attribute": "segment_id", "not_in": [4]}], "variant": "cards"},
    ],
)
def test_who_switched_personalisation_off_is_neither_split_nor_targeted_by_segment(
    rule: dict[str, Any],
) -> None:
    for user in USERS[:200]:
        who = person(user, segment="fans", segment_id=3, is_personalised=False)
        assert outcome(rule, who=who) == ("list", Reason.STATIC)


def test_who_switched_personalisation_off_still_gets_what_depends_on_the_situation() -> None:
    rule = {"when": [AUSTRIA], "variant": "cards"}
    who = person(country="AT", is_personalised=False)
    assert outcome(rule, who=who) == ("cards", Reason.TARGETING_MATCH)


# Chance of a false alarm: one in a million for each share.
SHARES = st.lists(st.integers(1, 100), min_size=2, max_size=3).map(
    lambda parts: [100 * part / sum(parts) for part in parts]
)


@settings(max_examples=40)
@given(shares=SHARES, percentage=st.integers(1, 100), seed=st.text(min_size=1, max_size=8))
def test_the_parts_of_a_split_are_as_large_as_was_said(
    shares: list[float], percentage: int, seed: str
) -> None:
    names = ["list", "cards", "grid"][: len(shares)]
    split = dict(zip(names, shares, strict=True))
    compiled = CompiledFlag(flag({"split": split, "percentage": percentage, "seed": seed}))
    found = [compiled.evaluate(person(user)) for user in USERS]
    for name, share in split.items():
        count = sum(each.variant == name and each.reason is Reason.SPLIT for each in found)
        low, high = binom.interval(1 - 1e-6, len(USERS), share * percentage / 10_000)
        assert low - 1 <= count <= high + 1, (name, count, low, high)


@given(
    percentages=st.lists(st.floats(0, 100), min_size=2, max_size=2).map(sorted),
    users=st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=30),
)
def test_who_is_in_a_rollout_stays_in_when_it_is_raised(
    percentages: list[float], users: list[str]
) -> None:
    lower, higher = (
        CompiledFlag(with_rollout(flag(), "cards", percentage)) for percentage in percentages
    )
    for user in users:
        was_in = lower.evaluate(person(user)).variant == "cards"
        assert not was_in or higher.evaluate(person(user)).variant == "cards"


@given(user=st.text(min_size=1), percentages=st.tuples(st.floats(1, 100), st.floats(1, 100)))
def test_more_coverage_moves_nobody_from_one_part_to_another(
    user: str, percentages: tuple[float, float]
) -> None:
    split = {"cards": 30, "grid": 70}
    few, many = (
        evaluate(flag({"split": split, "percentage": percentage}), person(user))
        for percentage in sorted(percentages)
    )
    assert few.reason is not Reason.SPLIT or few.variant == many.variant


@given(user=st.text(min_size=1), seed=st.text(min_size=1), version=st.sampled_from([1, 2]))
def test_a_split_is_decided_by_the_hash_alone(user: str, seed: str, version: int) -> None:
    rule = {"split": {"cards": 50, "grid": 50}, "seed": seed, "hash_version": version}
    variant, _ = outcome(rule, who=person(user))
    assert (variant == "cards") == (Bucketing(seed, version).place(user) < 0.5)


class Known:
    """Knows one user."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts

    def of(self, targeting_key: str) -> Facts:
        return self.facts if targeting_key == "ada" else Facts()


def test_what_a_client_says_of_the_segment_does_not_count() -> None:
    sent = {"targetingKey": "eve", "segment": "fans", "segment_id": 3, "country": "AT"}
    context = context_of(sent, Known(Facts(3, "fans")))
    assert context.attributes["segment"] is None
    assert context.attributes["segment_id"] is None
    assert context.attributes["country"] == "AT"
    assert (
        context_of({**sent, "targetingKey": "ada"}, Known(Facts(3, "fans"))).attributes["segment"]
        == "fans"
    )


@pytest.mark.parametrize(
    ("facts", "said", "is_personalised"),
    [
        (Facts(), None, True),
        (Facts(), False, False),
        (Facts(3, "fans", is_personalised=False), None, False),
        (Facts(3, "fans", is_personalised=False), True, False),
    ],
)
def test_a_client_may_switch_personalisation_off_but_not_on(
    facts: Facts, said: Any, is_personalised: Any
) -> None:
    sent = {"targetingKey": "ada"} | ({} if said is None else {"personalisation": said})
    context = context_of(sent, Known(facts))
    assert context.is_personalised == is_personalised
    assert context.attributes["personalisation"] == is_personalised
    if not is_personalised:
        assert context.attributes["segment"] is None


@pytest.mark.parametrize("key", [3, True, ["ada"], "x" * 1001])
def test_a_targeting_key_is_a_text(key: Any) -> None:
    with pytest.raises(InvalidContextError, match="targetingKey"):
        context_of({"targetingKey": key}, Known(Facts()))


@pytest.mark.parametrize("sent", [{}, {"targetingKey": ""}, {"targetingKey": None}])
def test_an_empty_targeting_key_is_nobody(sent: dict[str, Any]) -> None:
    assert context_of(sent, Known(Facts())).targeting_key is None
