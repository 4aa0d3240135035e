"""What can be asked about an attribute: each operator, what it compares with, and its test."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from feedback_platform.adjustment.flags.definition import Condition
from feedback_platform.adjustment.flags.versions import LONGEST, Version, parse_version

Test = Callable[[Mapping[str, Any]], bool]
# An attribute that was not sent, which is something else than one that is null.
_MISSING: Final = object()


@dataclass(frozen=True)
class Operator:
    """One way to compare.

    Attributes:
        accepts: what the operand may be, for a person who wrote something else.
        takes: whether an operand is that.
        prepared: makes of the operand what the test is quick with.
        holds: whether an attribute, which may be missing, passes.
    """

    accepts: str
    takes: Callable[[Any], bool]
    prepared: Callable[[Any], Any]
    holds: Callable[[Any, Any], bool]


def compiled(condition: Condition) -> Test:
    """Return the test that a condition is."""
    operator = OPERATORS[condition.operator]
    attribute, operand = condition.attribute, operator.prepared(condition.operand)
    holds = operator.holds
    return lambda attributes: holds(attributes.get(attribute, _MISSING), operand)


def is_number(value: Any) -> bool:
    """Return whether a value is a finite number; a boolean is none."""
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))


def _identity(value: Any) -> Any:
    """Return what is the same for values that are equal: 1 is 1.0, but not true."""
    if isinstance(value, str | int | float):
        return isinstance(value, bool), value
    return None


def _is_scalar(value: Any) -> bool:
    return isinstance(value, bool | str) or is_number(value)


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_scalar, value))


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _identities(values: list[Any]) -> frozenset[Any]:
    return frozenset(map(_identity, values))


def _itself(value: Any) -> Any:
    return value


def _contains(attribute: Any, operand: Any) -> bool:
    """Return whether a text has a part, or a list an element."""
    if isinstance(attribute, str):
        return isinstance(operand, str) and operand in attribute
    if isinstance(attribute, list):
        wanted = _identity(operand)
        return any(_identity(each) == wanted for each in attribute)
    return False


def _numeric(holds: Callable[[float, float], bool]) -> Operator:
    return Operator(
        "a number",
        is_number,
        _itself,
        lambda attribute, operand: is_number(attribute) and holds(attribute, operand),
    )


def _textual(holds: Callable[[str, str], bool]) -> Operator:
    return Operator(
        "a text",
        _is_text,
        _itself,
        lambda attribute, operand: isinstance(attribute, str) and holds(attribute, operand),
    )


def _versioned(holds: Callable[[Version, Version], bool]) -> Operator:
    def test(attribute: Any, operand: Any) -> bool:
        if not isinstance(attribute, str) or len(attribute) > LONGEST:
            return False
        version = parse_version(attribute)
        return version is not None and holds(version, operand)

    return Operator(
        'a version such as "2.10.0" or "2.10.0-beta.1"',
        lambda value: isinstance(value, str) and parse_version(value) is not None,
        parse_version,
        test,
    )


_SCALAR: Final = "a text, a number, true or false"
_LIST: Final = "a list of texts, numbers, true or false"
# An attribute that is missing is equal to nothing and in no list; so the negations hold for it.
OPERATORS: Final[Mapping[str, Operator]] = {
    "equals": Operator(_SCALAR, _is_scalar, _identity, lambda got, want: _identity(got) == want),
    "not_equals": Operator(
        _SCALAR, _is_scalar, _identity, lambda got, want: _identity(got) != want
    ),
    "in": Operator(_LIST, _is_list, _identities, lambda got, want: _identity(got) in want),
    "not_in": Operator(_LIST, _is_list, _identities, lambda got, want: _identity(got) not in want),
    "contains": Operator(_SCALAR, _is_scalar, _itself, _contains),
    "starts_with": _textual(str.startswith),
    "ends_with": _textual(str.endswith),
    "above": _numeric(lambda got, want: got > want),
    "at_least": _numeric(lambda got, want: got >= want),
    "below": _numeric(lambda got, want: got < want),
    "at_most": _numeric(lambda got, want: got <= want),
    "version_at_least": _versioned(lambda got, want: got >= want),
    "version_below": _versioned(lambda got, want: got < want),
    "present": Operator(
        "true or false",
        lambda value: isinstance(value, bool),
        _itself,
        lambda got, want: (got is not _MISSING and got is not None) == want,
    ),
}
