"""Changes of one flag."""

from __future__ import annotations

import pytest

from feedback_platform.adjustment.flags.changes import with_default, with_rollout, with_state
from feedback_platform.errors import InvalidInputError
from feedback_platform_tests.adjustment.flags.definitions import flag


def test_a_rollout_is_the_last_rule_and_keeps_its_seed_and_conditions_when_it_is_raised() -> None:
    when = [{"attribute": "country", "equals": "AT"}]
    began = flag({"variant": "grid"}, {"name": "rollout", "variant": "cards", "percentage": 5})
    assert with_rollout(flag({"variant": "grid"}), "cards", 5) == began
    there = flag(
        {"name": "rollout", "variant": "cards", "percentage": 5, "seed": "spring", "when": when}
    )
    (raised,) = with_rollout(there, "grid", 50).rules
    assert (raised.seed, raised.percentage, dict(raised.split)) == ("spring", 50, {"grid": 100})
    assert raised.when == there.rules[0].when


@pytest.mark.parametrize("percentage", [-1, 100.1, float("nan")])
def test_a_rollout_is_a_percentage(percentage: float) -> None:
    with pytest.raises(InvalidInputError, match="0 to 100"):
        with_rollout(flag(), "cards", percentage)


def test_only_a_variant_of_the_flag_can_be_chosen() -> None:
    with pytest.raises(InvalidInputError, match="list, cards, grid"):
        with_default(flag(), "x")
    with pytest.raises(InvalidInputError, match="list, cards, grid"):
        with_rollout(flag(), "x", 5)


def test_a_flag_can_be_switched_off_and_on() -> None:
    off = with_state(flag(), is_enabled=False)
    assert not off.is_enabled
    assert with_state(off, is_enabled=True) == flag()
