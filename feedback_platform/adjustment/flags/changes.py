"""Changes of one flag, each a function from the flag to the flag that it becomes."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from feedback_platform.adjustment.flags.definition import EVERYBODY, Flag, Rule
from feedback_platform.errors import InvalidInputError

ROLLOUT: Final = "rollout"


def with_state(flag: Flag, *, is_enabled: bool) -> Flag:
    """Return a flag that is on or off."""
    return replace(flag, is_enabled=is_enabled)


def with_default(flag: Flag, variant: str) -> Flag:
    """Return a flag with another default variant.

    Raises:
        InvalidInputError: it has no such variant.
    """
    _check_variant(flag, variant)
    return replace(flag, default=variant)


def with_rollout(flag: Flag, variant: str, percentage: float) -> Flag:
    """Return a flag of which a percentage of all get a variant, by the rule called `rollout`.

    A rollout that is there keeps its conditions and its seed: raised, everybody in it stays in.

    Raises:
        InvalidInputError: it has no such variant, or the percentage is none.
    """
    _check_variant(flag, variant)
    if not 0 <= percentage <= EVERYBODY:
        raise InvalidInputError(
            f"The rollout of {flag.key} is {percentage:g}; it accepts a number from 0 to 100."
        )
    fresh = Rule(ROLLOUT, {variant: EVERYBODY}, percentage=percentage, seed=flag.key)
    rules = list(flag.rules)
    for place, rule in enumerate(rules):
        if rule.name == ROLLOUT:
            rules[place] = replace(rule, split=fresh.split, percentage=percentage)
            return replace(flag, rules=tuple(rules))
    return replace(flag, rules=(*rules, fresh))


def _check_variant(flag: Flag, variant: str) -> None:
    if variant not in flag.variants:
        raise InvalidInputError(
            f"The flag {flag.key} has no variant {variant!r}; it has {', '.join(flag.variants)}."
        )
