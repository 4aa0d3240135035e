"""Reading definitions; an error says which flag, which entry, and what that accepts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final

from feedback_platform.adjustment.flags.bucketing import HASH_VERSIONS
from feedback_platform.adjustment.flags.conditions import OPERATORS, is_number
from feedback_platform.adjustment.flags.definition import (
    EVERYBODY,
    Condition,
    Flag,
    FlagType,
    Rule,
)
from feedback_platform.adjustment.flags.values import checked_variants
from feedback_platform.errors import InvalidInputError

# It stands in paths as it is: the clients do not all escape it.
_KEY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
_KEY_ACCEPTS: Final = "1 to 100 letters, digits, dots, dashes and underscores, the first no mark"
_STATES: Final = ("enabled", "disabled")
_FLAG: Final = ("description", "type", "state", "default", "variants", "rules")
_RULE: Final = ("name", "when", "variant", "split", "percentage", "seed", "hash_version")
_LONGEST_TEXT: Final = 1000
_MOST_RULES: Final = 100
_MOST_CONDITIONS: Final = 20
# Shares such as 33.33 three times are meant to be all.
_TOLERANCE: Final = 0.1


def parse_flag(key: str, table: Any, *, origin: str) -> Flag:
    """Return a flag from its table.

    Args:
        key: of the flag.
        table: what TOML, or a record of the log, says of it.
        origin: the file, for the error.

    Raises:
        InvalidInputError: an entry is missing, unknown or not accepted.
    """
    if not _KEY.fullmatch(key):
        raise InvalidInputError(
            f"{origin}: a flag is called {key[:120]!r}; it accepts {_KEY_ACCEPTS}."
        )
    where = f"{origin}: flag {key}"
    table = _table(where, table, _FLAG)
    kind = FlagType(_one_of(where, "type", table.get("type"), tuple(FlagType)))
    variants = checked_variants(where, kind, table.get("variants"))
    default = _one_of(where, "default", table.get("default"), tuple(variants))
    rules = _list(where, "rules", table.get("rules", []), _MOST_RULES)
    parsed = tuple(
        _rule(f"{where}, rule {number}", each, key, tuple(variants))
        for number, each in enumerate(rules, start=1)
    )
    names = [rule.name for rule in parsed]
    for name in names:
        if names.count(name) > 1:
            raise InvalidInputError(
                f"{where}: two rules are called {name!r}; names tell them apart."
            )
    return Flag(
        key=key,
        type=kind,
        variants=variants,
        default=default,
        description=_text(where, "description", table.get("description", ""), is_needed=False),
        rules=parsed,
        is_enabled=_one_of(where, "state", table.get("state", "enabled"), _STATES) == "enabled",
    )


def _rule(where: str, table: Any, key: str, variants: tuple[str, ...]) -> Rule:
    table = _table(where, table, _RULE)
    name = _text(where, "name", table.get("name"))
    where = f"{where} ({name})"
    if ("variant" in table) == ("split" in table):
        raise InvalidInputError(f"{where} has to have either variant or split.")
    if "variant" in table:
        split = {_one_of(where, "variant", table["variant"], variants): EVERYBODY}
    else:
        split = _split(where, table["split"], variants)
    conditions = _list(where, "when", table.get("when", []), _MOST_CONDITIONS)
    version = table.get("hash_version", 2)
    if isinstance(version, bool) or version not in HASH_VERSIONS:
        raise InvalidInputError(f"{where}: hash_version is {version!r}; it accepts 1 or 2.")
    return Rule(
        name=name,
        split=split,
        when=tuple(
            parse_condition(f"{where}, condition {number}", each)
            for number, each in enumerate(conditions, start=1)
        ),
        percentage=_percentage(where, "percentage", table.get("percentage", EVERYBODY)),
        seed=_text(where, "seed", table.get("seed", key)),
        hash_version=int(version),
    )


def parse_condition(where: str, table: Any) -> Condition:
    """Return a condition from its table.

    Args:
        where: the file and the place in it, for the error.
        table: what TOML, or a record of the log, says of it.

    Raises:
        InvalidInputError: an entry is missing, unknown or not accepted.
    """
    table = _table(where, table, ("attribute", *OPERATORS))
    attribute = _text(where, "attribute", table.get("attribute"))
    operators = [name for name in table if name != "attribute"]
    if len(operators) != 1:
        raise InvalidInputError(
            f"{where} has to compare {attribute} in one way; it accepts one of "
            f"{', '.join(OPERATORS)}."
        )
    (name,) = operators
    operator = OPERATORS[name]
    if not operator.takes(table[name]):
        raise InvalidInputError(
            f"{where}: {name} is {_shown(table[name])}; it accepts {operator.accepts}."
        )
    return Condition(attribute, name, table[name])


def _split(where: str, table: Any, variants: tuple[str, ...]) -> dict[str, float]:
    if not (isinstance(table, Mapping) and table):
        raise InvalidInputError(
            f"{where}: split is {_shown(table)}; it accepts percentages by variant, such as "
            "{ a = 50, b = 50 }."
        )
    shares = {
        _one_of(where, "split", name, variants): _percentage(where, f"split of {name}", share)
        for name, share in table.items()
    }
    total = sum(shares.values())
    if abs(total - EVERYBODY) > _TOLERANCE:
        raise InvalidInputError(
            f"{where}: the percentages of split add up to {total:g}; they have to add up to 100. "
            "With percentage, fewer take part."
        )
    return shares


def _percentage(where: str, name: str, value: Any) -> float:
    if not (is_number(value) and 0 <= value <= EVERYBODY):
        raise InvalidInputError(
            f"{where}: {name} is {_shown(value)}; it accepts a number from 0 to 100."
        )
    return float(value)


def _table(where: str, table: Any, known: Iterable[str]) -> Mapping[str, Any]:
    if not isinstance(table, Mapping):
        raise InvalidInputError(f"{where} is {_shown(table)}; it accepts a table.")
    for name in table:
        if name not in known:
            close = get_close_matches(name, list(known), n=1)
            meant = f"; did you mean {close[0]!r}?" if close else "."
            raise InvalidInputError(
                f"{where} has an unknown key {name!r}{meant} It accepts {', '.join(known)}."
            )
    return table


def _list(where: str, name: str, value: Any, most: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > most:
        raise InvalidInputError(
            f"{where}: {name} is {_shown(value)}; it accepts a list of up to {most} tables."
        )
    return value


def _text(where: str, name: str, value: Any, *, is_needed: bool = True) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT or (is_needed and not value):
        raise InvalidInputError(
            f"{where}: {name} is {_shown(value)}; it accepts a text of up to "
            f"{_LONGEST_TEXT:,} characters{' that is not empty' if is_needed else ''}."
        )
    return value


def _one_of(where: str, name: str, value: Any, accepted: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in accepted:
        raise InvalidInputError(
            f"{where}: {name} is {_shown(value)}; it accepts {' or '.join(map(str, accepted))}."
        )
    return value


def _shown(value: Any) -> str:
    return "missing" if value is None else repr(value)[:100]
