"""The rules for single values: texts, numbers, sizes, enumerations."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from feedback_platform.events.schemas.compatibility import facts as f
from feedback_platform.events.schemas.compatibility.budget import Budget
from feedback_platform.events.schemas.compatibility.documents import Document
from feedback_platform.events.schemas.compatibility.facts import Case
from feedback_platform.events.schemas.json_schema.drafts import JSON

_Messages = Iterator[str]


def named(case: Case) -> str:
    """Return how a message calls the values of a case."""
    literal = case.literal()
    if literal is not None:
        return f"the value {literal.text}"
    article = "an" if case.kind[0] in "aio" else "a"
    name = "number that is not whole" if case.kind == f.FRACTION else case.kind
    return f"{article} {name}"


def literal_refusals(
    reader: dict[str, JSON], document: Document, case: Case, path: str, budget: Budget
) -> _Messages:
    """Say which values `const` and `enum` of a reader refuse."""
    for keyword in ("const", "enum"):
        if keyword not in reader:
            continue
        if case.literals is None:
            yield f"{path}/{keyword}: only some values are accepted now"
            continue
        budget.spend(1 + len(case.literals) // 20)
        allowed = (
            document.allowed(reader["enum"])
            if keyword == "enum"
            else {document.identity(reader["const"])}
        )
        if not all(literal.identity in allowed for literal in case.literals):
            yield f"{path}/{keyword}: {named(case)} is not accepted any more"


def string_refusals(reader: dict[str, JSON], case: Case, path: str) -> _Messages:
    """Say which texts a reader refuses, patterns aside."""
    yield from size_refusals(reader, case, path, ("minLength", "maxLength"), "characters")


def size_refusals(
    reader: dict[str, JSON], case: Case, path: str, keywords: tuple[str, str], what: str
) -> _Messages:
    """Say which sizes a reader refuses that a writer allows."""
    least, most = keywords
    if least in reader:
        known_least = case.bounds.get(least, 0)
        if least == "minProperties":
            known_least = max(known_least, len(case.required))
        if reader[least] > known_least:
            wanted = reader[least]
            yield f"{path}/{least}: at least {wanted} {what} are needed now, not {known_least}"
    if most in reader:
        known_most = case.bounds.get(most, math.inf)
        if reader[most] < known_most:
            before = "any number" if known_most == math.inf else known_most
            yield f"{path}/{most}: at most {reader[most]} {what} are accepted now, not {before}"


def number_refusals(reader: dict[str, JSON], case: Case, path: str, budget: Budget) -> _Messages:
    """Say which numbers a reader refuses."""
    for side, keyword, words in ((1, "minimum", "at least"), (-1, "maximum", "at most")):
        wanted = _bound(reader, side)
        # Past a bound lies what is farther to its side; a bound that is left out itself is past it.
        known = None if wanted is None else _bound(case.bounds, side)
        if wanted is not None and (known is None or known < wanted):
            before = "any" if known is None else side * known[0]
            yield f"{path}/{keyword}: has to be {words} {side * wanted[0]} now, not {before}"
    divisor = reader.get("multipleOf")
    if divisor is not None and not _divides(divisor, case, budget):
        yield f"{path}/multipleOf: only multiples of {divisor} are accepted now"


def _bound(schema: dict[str, JSON], side: int) -> tuple[float, bool] | None:
    """Return the bound on one side of a schema, times the side, and whether it is left out."""
    name = "Minimum" if side > 0 else "Maximum"
    bounds = [
        (side * schema[keyword], keyword != name.lower())
        for keyword in (name.lower(), f"exclusive{name}")
        if keyword in schema
    ]
    return max(bounds, default=None)


def _divides(divisor: Any, case: Case, budget: Budget) -> bool:
    """Return whether all numbers of a case are multiples of one, exactly as they are written."""
    try:
        exact = Fraction(str(divisor))
        known = [fact["multipleOf"] for fact in case.facts if "multipleOf" in fact]
        if case.kind == f.INTEGER:
            known.append(1)
        numbers = [literal.value for literal in case.literals or ()]
        budget.spend(len(case.facts) // 8 + len(known) + len(numbers))
        return any(Fraction(str(number)) % exact == 0 for number in known) or (
            bool(numbers) and all(Fraction(str(number)) % exact == 0 for number in numbers)
        )
    except (ValueError, ZeroDivisionError):
        return False
