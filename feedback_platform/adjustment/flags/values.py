"""Values of variants: of the flag's type, and the same after a way as JSON to any client."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from feedback_platform.adjustment.flags.definition import FlagType
from feedback_platform.errors import InvalidInputError

# Whole numbers that a browser does not round.
_LARGEST_WHOLE: Final = 2**53 - 1
_MOST_VARIANTS: Final = 100
_LONGEST_NAME: Final = 100
_DEEPEST: Final = 20


def checked_variants(where: str, kind: FlagType, variants: Any) -> dict[str, Any]:
    """Return the variants of a flag, by name.

    Numbers are all whole or all not: clients with a type for each refuse the other one.

    Raises:
        InvalidInputError: a name or a value is not accepted.
    """
    if not (isinstance(variants, Mapping) and 0 < len(variants) <= _MOST_VARIANTS):
        raise InvalidInputError(
            f"{where}: variants is {'missing' if variants is None else repr(variants)[:100]}; "
            f"it accepts a table of 1 to {_MOST_VARIANTS} values by name, such as {{ on = true }}."
        )
    for name, value in variants.items():
        if not (name and len(name) <= _LONGEST_NAME and name.isprintable()):
            raise InvalidInputError(
                f"{where}: a variant is called {name[:120]!r}; it accepts 1 to {_LONGEST_NAME} "
                "printable characters."
            )
        if not _CHECKS[kind](value):
            raise InvalidInputError(
                f"{where}: variant {name} is {repr(value)[:100]}; it accepts {_ACCEPTS[kind]}."
            )
    if kind is FlagType.NUMBER and any(isinstance(value, float) for value in variants.values()):
        return {name: float(value) for name, value in variants.items()}
    return dict(variants)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    if isinstance(value, int):
        return abs(value) <= _LARGEST_WHOLE
    return isinstance(value, float) and math.isfinite(value)


def _is_json(value: Any, depth: int = 0) -> bool:
    if depth > _DEEPEST:
        return False
    if isinstance(value, Mapping):
        return all(isinstance(name, str) for name in value) and all(
            _is_json(each, depth + 1) for each in value.values()
        )
    if isinstance(value, list):
        return all(_is_json(each, depth + 1) for each in value)
    return isinstance(value, bool | str) or _is_number(value)


_CHECKS: Final[Mapping[FlagType, Callable[[Any], bool]]] = {
    FlagType.BOOLEAN: lambda value: isinstance(value, bool),
    FlagType.STRING: lambda value: isinstance(value, str),
    FlagType.NUMBER: _is_number,
    FlagType.OBJECT: lambda value: isinstance(value, Mapping) and _is_json(value),
}
_ACCEPTS: Final[Mapping[FlagType, str]] = {
    FlagType.BOOLEAN: "true or false",
    FlagType.STRING: "a text",
    FlagType.NUMBER: f"a number; a whole one has at most {_LARGEST_WHOLE:,}",
    FlagType.OBJECT: "a table of texts, numbers, true, false, lists and tables",
}
