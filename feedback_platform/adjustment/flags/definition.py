"""What a flag is: variants, a default, and rules that decide who gets another variant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

SEGMENT: Final = "segment"
SEGMENT_ID: Final = "segment_id"
PERSONALISATION: Final = "personalisation"
TARGETING_KEY: Final = "targetingKey"
EVERYBODY: Final = 100.0


class FlagType(StrEnum):
    """What the values of a flag are."""

    BOOLEAN = "boolean"
    STRING = "string"
    NUMBER = "number"
    OBJECT = "object"


@dataclass(frozen=True)
class Condition:
    """What has to be true of one attribute.

    Attributes:
        attribute: of the context; `segment`, `segment_id` and `personalisation` are the server's.
        operator: a name in `conditions.OPERATORS`.
        operand: what the attribute is compared with.
    """

    attribute: str
    operator: str
    operand: Any


@dataclass(frozen=True)
class Rule:
    """Who gets another variant than the default; the first rule that holds decides.

    Attributes:
        name: tells the rules of a flag apart.
        when: all of them have to hold; none holds for everybody.
        split: the variants, each with its share in percent; one of 100 for a fixed variant.
        percentage: of those for whom the rule holds, how many take part in it.
        seed: decides together with the targeting key who these are; the same seed, the same people.
        hash_version: of GrowthBook's hash.
    """

    name: str
    split: Mapping[str, float]
    when: tuple[Condition, ...] = ()
    percentage: float = EVERYBODY
    seed: str = ""
    hash_version: int = 2

    @property
    def is_split(self) -> bool:
        """Whether it depends on the person's hash who gets what."""
        return self.percentage < EVERYBODY or len(self.split) > 1


@dataclass(frozen=True)
class Flag:
    """One flag.

    Attributes:
        key: by which programs ask for it.
        description: for people.
        type: of all values.
        variants: name → value.
        default: the variant for those for whom no rule holds.
        rules: in order.
        is_enabled: a flag that is not gives everybody what the asking program has in its code.
    """

    key: str
    type: FlagType
    variants: Mapping[str, Any]
    default: str
    description: str = ""
    rules: tuple[Rule, ...] = ()
    is_enabled: bool = True


def as_table(flag: Flag) -> dict[str, Any]:
    """Return a flag in the form of the definitions file, which `parsing.parse_flag` reads."""
    table: dict[str, Any] = {
        "description": flag.description,
        "type": str(flag.type),
        "state": "enabled" if flag.is_enabled else "disabled",
        "default": flag.default,
        "variants": dict(flag.variants),
    }
    if flag.rules:
        table["rules"] = [_rule_as_table(rule, flag) for rule in flag.rules]
    return table


def _rule_as_table(rule: Rule, flag: Flag) -> dict[str, Any]:
    table: dict[str, Any] = {"name": rule.name}
    if rule.when:
        table["when"] = [
            {"attribute": each.attribute, each.operator: each.operand} for each in rule.when
        ]
    if len(rule.split) == 1:
        table["variant"] = next(iter(rule.split))
    else:
        table["split"] = dict(rule.split)
    if rule.percentage < EVERYBODY:
        table["percentage"] = rule.percentage
    if rule.seed != flag.key:
        table["seed"] = rule.seed
    if rule.hash_version == 1:
        table["hash_version"] = 1
    return table
