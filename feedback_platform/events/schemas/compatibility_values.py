"""The rules for single values: texts, numbers, sizes, enumerations."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Final

from feedback_platform.events.schemas import compatibility_facts as f
from feedback_platform.events.schemas.compatibility_facts import JSON, Case, identity

_Messages = Iterator[str]
_LONGEST_QUOTE: Final = 60


def named(case: Case) -> str:
    """Return how a message calls the values of a case."""
    literal = case.literal()
    if literal is not None:
        text = repr(literal[0])
        return f"the value {text[:_LONGEST_QUOTE]}{'…' if len(text) > _LONGEST_QUOTE else ''}"
    article = "an" if case.kind[0] in "aio" else "a"
    name = "number that is not whole" if case.kind == f.FRACTION else case.kind
    return f"{article} {name}"


def literal_refusals(reader: dict[str, JSON], case: Case, path: str) -> _Messages:
    """Say which values `const` and `enum` of a reader refuse."""
    for keyword in ("const", "enum"):
        if keyword not in reader:
            continue
        allowed = [reader["const"]] if keyword == "const" else reader["enum"]
        literal = case.literal()
        if literal is None:
            yield f"{path}/{keyword}: only some values are accepted now"
        elif identity(literal[0]) not in {identity(value) for value in allowed}:
            yield f"{path}/{keyword}: {named(case)} is not accepted any more"


def string_refusals(reader: dict[str, JSON], case: Case, path: str, _depth: int) -> _Messages:
    """Say which texts a reader refuses, patterns aside."""
    yield from size_refusals(reader, case, path, ("minLength", "maxLength"), "characters")


def size_refusals(
    reader: dict[str, JSON], case: Case, path: str, keywords: tuple[str, str], what: str
) -> _Messages:
    """Say which sizes a reader refuses that a writer allows."""
    least, most = keywords
    known_least = max([0, *(fact[least] for fact in case.facts if least in fact)])
    known_most = min([math.inf, *(fact[most] for fact in case.facts if most in fact)])
    if reader.get(least, 0) > known_least:
        yield f"{path}/{least}: at least {reader[least]} {what} are needed now, not {known_least}"
    if reader.get(most, math.inf) < known_most:
        before = "any number" if known_most == math.inf else known_most
        yield f"{path}/{most}: at most {reader[most]} {what} are accepted now, not {before}"


def number_refusals(reader: dict[str, JSON], case: Case, path: str, _depth: int) -> _Messages:
    """Say which numbers a reader refuses."""
    for side, keyword, words in ((1, "minimum", "at least"), (-1, "maximum", "at most")):
        wanted = _bound(reader, side)
        # Past a bound lies what is farther to its side; a bound that is left out itself is past it.
        known = max((bound for fact in case.facts if (bound := _bound(fact, side))), default=None)
        if wanted is not None and (known is None or known < wanted):
            before = "any" if known is None else side * known[0]
            yield f"{path}/{keyword}: has to be {words} {side * wanted[0]} now, not {before}"
    divisor = reader.get("multipleOf")
    if divisor is not None and not _divides(divisor, case):
        yield f"{path}/multipleOf: only multiples of {divisor} are accepted now"


def _bound(schema: dict[str, JSON], side: int) -> tuple[float, bool] | None:
    """Return the bound on one side of a schema, times the side, and whether it is left out."""
    name = "Minimum" if side > 0 else "Maximum"
    inclusive = schema.get(name.lower())
    exclusive = schema.get(f"exclusive{name}")
    # In draft 4 the one said only how the other was meant.
    if isinstance(exclusive, bool):
        return None if inclusive is None else (side * inclusive, exclusive)
    bounds = []
    if inclusive is not None:
        bounds.append((side * inclusive, False))
    if exclusive is not None:
        bounds.append((side * exclusive, True))
    return max(bounds, default=None)


def _divides(divisor: Any, case: Case) -> bool:
    try:
        exact = Fraction(str(divisor))
        known = [fact["multipleOf"] for fact in case.facts if "multipleOf" in fact]
        literal = case.literal()
        if literal is not None:
            known.append(literal[0])
        elif case.kind == f.INTEGER:
            known.append(1)
        return any(Fraction(str(number)) % exact == 0 for number in known)
    except (ValueError, ZeroDivisionError):
        return False
