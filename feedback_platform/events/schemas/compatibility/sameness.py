"""Whether two JSON Schemas say the same in the same way, whatever their definitions are called."""

from __future__ import annotations

from typing import Final

from feedback_platform.events.schemas.compatibility.budget import Budget
from feedback_platform.events.schemas.compatibility.documents import (
    REFERENCES,
    Document,
    identity,
)
from feedback_platform.events.schemas.json_schema.drafts import JSON

# Under these stand names that somebody chose, and no keywords.
_BY_NAME: Final = frozenset({"properties", "patternProperties", "dependentSchemas", "dependencies"})
_VALUES: Final = frozenset({"const", "enum"})
_Pair = tuple[JSON, JSON]


def is_same(
    one: JSON, its_document: Document, other: JSON, others_document: Document, budget: Budget
) -> bool:
    """Return whether two schemas, or lists of them, are the same but for where references lead.

    Both are walked through at once. A pair that was met before is taken for the same: if it is not,
    the difference is found where it was met first.

    Raises:
        TooComplexError: there is too much to look at.
    """
    walk = _Walk(its_document, others_document, budget)
    waiting: list[_Pair] = [(one, other)]
    while waiting:
        below = walk.below(*waiting.pop())
        if below is None:
            return False
        waiting.extend(below)
    return True


class _Walk:
    def __init__(self, one: Document, other: Document, budget: Budget) -> None:
        self._one = one
        self._other = other
        self._budget = budget
        self._met: set[tuple[int, int]] = set()

    def below(self, left: JSON, right: JSON) -> list[_Pair] | None:
        """Return what has to be the same for a pair to be so; None if it cannot be."""
        if isinstance(left, dict) and isinstance(right, dict):
            self._budget.spend()
            key = (id(left), id(right))
            if key in self._met:
                return []
            self._met.add(key)
            return self._members(left, right)
        if isinstance(left, list) and isinstance(right, list):
            self._budget.spend(1 + len(left) // 20)
            return list(zip(left, right, strict=True)) if len(left) == len(right) else None
        if isinstance(left, dict | list) or isinstance(right, dict | list):
            return None
        return [] if identity(left) == identity(right) else None

    def _members(self, left: dict[str, JSON], right: dict[str, JSON]) -> list[_Pair] | None:
        if left.keys() != right.keys():
            return None
        found: list[_Pair] = []
        for keyword, value in left.items():
            if keyword in _VALUES:
                if not self._have_same_values(keyword, value, right[keyword]):
                    return None
            elif keyword in _BY_NAME:
                if value.keys() != right[keyword].keys():
                    return None
                found.extend((child, right[keyword][name]) for name, child in value.items())
            else:
                found.append(self._followed(keyword, value, right[keyword]))
        return found

    def _followed(self, keyword: str, value: JSON, counterpart: JSON) -> _Pair:
        if keyword not in REFERENCES:
            return value, counterpart
        return self._one.target(value, self._budget), self._other.target(counterpart, self._budget)

    def _have_same_values(self, keyword: str, value: JSON, counterpart: JSON) -> bool:
        if keyword == "enum":
            return self._one.allowed(value) == self._other.allowed(counterpart)
        return self._one.identity(value) == self._other.identity(counterpart)
