"""What each operator holds for."""

from __future__ import annotations

from typing import Any

import pytest

from feedback_platform.adjustment.flags.conditions import OPERATORS, compiled
from feedback_platform.adjustment.flags.definition import Condition
from feedback_platform.adjustment.flags.versions import parse_version

CASES: list[tuple[str, Any, list[Any], list[Any]]] = [
    ("equals", "AT", ["AT"], ["at", "", None, ["AT"], 1]),
    ("equals", 1, [1, 1.0], [True, "1", 2]),
    ("equals", True, [True], [1, "true", False]),
    ("not_equals", "AT", ["DE", None, 1, []], ["AT"]),
    ("in", ["AT", 3], ["AT", 3, 3.0], ["DE", "3", None, {}]),
    ("in", [1], [1], [True]),
    ("not_in", ["AT", "DE"], ["CH", None, []], ["AT"]),
    ("contains", "lit", ["split", ["a", "lit"]], ["LIT", ["split"], None, 1]),
    ("contains", 3, [[1, 3]], ["3", [True], 3, {"3": 1}]),
    ("starts_with", "a", ["ab", "a"], ["ba", ["a"], None]),
    ("ends_with", "b", ["ab"], ["ba", 1]),
    ("above", 3, [3.1, 4], [3, "4", True, None]),
    ("at_least", 3, [3, 3.0], [2.9, "3"]),
    ("below", 0, [-1], [0, False, None]),
    ("at_most", 0, [0, -0.5], [0.1, None]),
    ("version_at_least", "2.10.0", ["2.10.0", "v2.10", "3", "2.10.1-b"],
     ["2.9.9", "2.10.0-rc.1", "x", 3]),
    ("version_below", "2.0.0", ["1.99.0", "2.0.0-rc.1"], ["2", "2.0.0+5", None]),
    ("present", True, ["", 0, False, []], [None]),
    ("present", False, [None], ["", 0]),
]  # fmt: skip


@pytest.mark.parametrize(("operator", "operand", "holds", "fails"), CASES)
def test_an_operator_holds_for_these_and_for_no_others(
    operator: str, operand: Any, holds: list[Any], fails: list[Any]
) -> None:
    assert OPERATORS[operator].takes(operand)
    test = compiled(Condition("attribute", operator, operand))

    assert [value for value in holds if not test({"attribute": value})] == []
    assert [value for value in fails if test({"attribute": value})] == []


@pytest.mark.parametrize("operator", OPERATORS)
def test_of_an_attribute_that_is_missing_only_the_negations_hold(operator: str) -> None:
    operand = {"in": ["x"], "not_in": ["x"], "present": False}.get(operator, _operand(operator))
    test = compiled(Condition("attribute", operator, operand))

    assert test({}) == (operator in {"not_equals", "not_in", "present"})


def _operand(operator: str) -> Any:
    return next(operand for name, operand, _, _ in CASES if name == operator)


def test_every_operator_has_a_case() -> None:
    assert {operator for operator, _, _, _ in CASES} == set(OPERATORS)


def test_versions_are_in_the_order_that_semver_gives_as_its_example() -> None:
    ordered = [
        "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2",
        "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0",
    ]  # fmt: skip
    versions = [parse_version(text) for text in ordered]
    assert None not in versions
    assert versions == sorted(versions)  # type: ignore[type-var] # none of them is None
    assert len(set(versions)) == len(ordered)
