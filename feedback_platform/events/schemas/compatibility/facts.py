"""What a JSON Schema guarantees of the documents that it accepts: the writer's side.

A schema is opened up into cases. A case is one kind of value (null, boolean, integer, fraction,
string, array, object) and a list of plain facts, keyword by keyword, that all hold of it. Unions
become several cases; the values of an enumeration become one case for each kind of them. Leaving a
fact out is always allowed: it only makes the writer look more liberal than it is, never the reader.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from feedback_platform.events.schemas.compatibility.budget import Budget, TooComplexError
from feedback_platform.events.schemas.compatibility.documents import Document, Identity, identity
from feedback_platform.events.schemas.json_schema.drafts import JSON

Facts = list[dict[str, JSON]]

NULL: Final = "null"
BOOLEAN: Final = "boolean"
INTEGER: Final = "integer"
# A number that is not whole.
FRACTION: Final = "fraction"
STRING: Final = "string"
ARRAY: Final = "array"
OBJECT: Final = "object"
KINDS: Final = (NULL, BOOLEAN, INTEGER, FRACTION, STRING, ARRAY, OBJECT)

_UNIONS: Final = ("anyOf", "oneOf")
_CASES: Final = 2_000
_LONGEST_QUOTE: Final = 60


@dataclass(frozen=True, eq=False)
class Literal:
    """A value that an enumeration names."""

    value: JSON
    identity: Identity

    @cached_property
    def text(self) -> str:
        """The value as a message shows it."""
        text = repr(self.value)
        return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}…"


@dataclass(frozen=True, eq=False)
class Case:
    """One kind of value that a schema accepts, and what holds of every such value.

    Attributes:
        kind: of the values.
        facts: unions that were opened up are still among them, to be recognised if unchanged.
        literals: the only values there are; None where they are not numbered.
        passed: by id, which parts of the reader are known to accept every value.
    """

    kind: str
    facts: Facts
    literals: list[Literal] | None = None
    passed: set[int] = field(default_factory=set)

    def literal(self) -> Literal | None:
        """Return the only value of this case, or None where there may be several."""
        return self.literals[0] if self.literals is not None and len(self.literals) == 1 else None

    def halves(self) -> list[Case]:
        """Return the case as two of half as many values; as itself if it has no two."""
        if self.literals is None or len(self.literals) == 1:
            return [self]
        middle = len(self.literals) // 2
        return [
            Case(self.kind, [*self.facts, _described(self.kind, some)], some)
            for some in (self.literals[:middle], self.literals[middle:])
        ]

    @cached_property
    def required(self) -> frozenset[str]:
        """The properties that every object has."""
        return frozenset(name for fact in self.facts for name in fact.get("required", ()))

    @cached_property
    def properties(self) -> dict[str, list[JSON]]:
        """What is said of the properties that are named."""
        named: dict[str, list[JSON]] = {}
        for fact in self.facts:
            for name, schema in fact.get("properties", {}).items():
                named.setdefault(name, []).append(schema)
        return named

    @cached_property
    def others(self) -> list[tuple[dict[str, JSON], JSON]]:
        """What is said of properties that a fact does not name: which it names, and what it says.

        Only facts that say something.
        """
        return [
            (fact.get("properties", {}), schema)
            for fact in self.facts
            if (schema := _schema_of_unnamed(fact)) not in (True, {})
        ]

    @cached_property
    def allowed_names(self) -> frozenset[str] | None:
        """The only properties that objects may have; None where any may come."""
        closed = [
            fact.get("properties", {}).keys()
            for fact in self.facts
            if fact.get("additionalProperties") is False and not fact.get("patternProperties")
        ]
        return frozenset(set.intersection(*map(set, closed))) if closed else None

    @cached_property
    def bounds(self) -> dict[str, JSON]:
        """The narrowest bound of each keyword that sets one."""
        found: dict[str, JSON] = {}
        for fact in self.facts:
            for keyword in _BOUNDS & fact.keys():
                narrower = min if keyword.startswith(("max", "exclusiveMax")) else max
                found[keyword] = narrower(found.get(keyword, fact[keyword]), fact[keyword])
        return found


_BOUNDS: Final = frozenset(
    f"{side}{what}" for side in ("min", "max") for what in ("Length", "Items", "Properties", "imum")
) | {"exclusiveMinimum", "exclusiveMaximum"}


def cases(schemas: list[JSON], document: Document, budget: Budget) -> Iterator[Case]:
    """Return the cases of what all of some schemas accept; impossible ones are left out.

    Raises:
        TooComplexError: there are too many.
    """
    alternatives: list[Facts] = [[]]
    for schema in schemas:
        alternatives = _product(alternatives, _expanded(schema, document, budget, set()), budget)
    for facts in alternatives:
        yield from _cases_of(facts, document, budget)


def kinds_of_type(schema_type: JSON) -> set[str]:
    """Return the kinds that a `type` keyword allows."""
    names = schema_type if isinstance(schema_type, list) else [schema_type]
    kinds = {name for name in names if name in KINDS}
    return kinds | {INTEGER, FRACTION} if "number" in names else kinds


def kind_of(value: JSON) -> str:
    """Return the kind of a value."""
    if isinstance(value, bool):
        return BOOLEAN
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return INTEGER
    if isinstance(value, float):
        return FRACTION
    for kind, known in ((STRING, str), (ARRAY, list), (OBJECT, dict)):
        if isinstance(value, known):
            return kind
    return NULL


def property_schemas(case: Case, name: str | None, budget: Budget) -> list[JSON]:
    """Return the schemas that the value of a property satisfies, all of them at once.

    Args:
        case: of objects.
        name: of the property; None for one that no fact names.
        budget: for the work.

    Returns:
        Nothing where the property may be anything; `False` among them where there can be none.
    """
    budget.spend(1 + len(case.others))
    others = [schema for named, schema in case.others if name is None or name not in named]
    return others if name is None else [*case.properties.get(name, ()), *others]


def item_schema(schema: dict[str, JSON], index: int) -> JSON:
    """Return the schema of an array's item at a place."""
    first = schema.get("prefixItems", ())
    return first[index] if index < len(first) else schema.get("items", True)


def _product(left: list[Facts], right: list[Facts], budget: Budget) -> list[Facts]:
    if len(left) * len(right) > _CASES:
        raise TooComplexError(f"the unions in the schema open up into more than {_CASES:,} cases")
    if len(right) == 1:
        budget.spend(len(left))
        for facts in left:
            facts.extend(right[0])
        return left
    budget.spend(sum(len(one) for one in left) * len(right) // 8)
    return [[*one, *other] for one in left for other in right]


def _expanded(schema: JSON, document: Document, budget: Budget, met: set[int]) -> list[Facts]:
    """Return a schema as alternatives, each a list of facts.

    Args:
        schema: the rules.
        document: in which it stands.
        budget: for the work.
        met: the schemas that hold already; what is said twice says nothing the second time.
    """
    budget.spend()
    if not isinstance(schema, dict):
        return [] if schema is False else [[]]
    if id(schema) in met:
        return [[]]
    met.add(id(schema))
    # A schema that only leads to another says nothing of its own.
    alternatives: list[Facts] = [[schema] if schema.keys() - {"$ref"} else []]
    conditions = list(schema.get("allOf", ()))
    if "$ref" in schema:
        conditions.append(document.target(schema["$ref"], budget))
    for condition in conditions:
        alternatives = _product(alternatives, _expanded(condition, document, budget, met), budget)
    for union in _UNIONS:
        if union in schema:
            branches: list[Facts] = []
            for branch in schema[union]:
                branches += _expanded(branch, document, budget, set(met))
                if len(branches) > _CASES:
                    break
            alternatives = _product(alternatives, branches, budget)
    return alternatives


def _cases_of(facts: Facts, document: Document, budget: Budget) -> Iterator[Case]:
    kinds = set(KINDS)
    for fact in facts:
        if "type" in fact:
            kinds &= kinds_of_type(fact["type"])
    literals = _literals(facts, document, budget)
    if literals is None:
        for kind in KINDS:
            if kind in kinds and kind not in (NULL, BOOLEAN):
                budget.spend()
                yield Case(kind, facts)
        literals = _SMALL
    groups: dict[str, list[Literal]] = {}
    for known, value in literals.items():
        if (kind := kind_of(value)) in kinds:
            groups.setdefault(kind, []).append(Literal(value, known))
    for kind, values in groups.items():
        for some in [values] if kind in _ORDERED else [[value] for value in values]:
            budget.spend(1 + len(facts) // 8 + len(some) // 20)
            yield Case(kind, [*facts, _described(kind, some)], some)


def _literals(facts: Facts, document: Document, budget: Budget) -> dict[Identity, JSON] | None:
    """Return the only values that some facts allow, by identity; None where they name none."""
    found: dict[Identity, JSON] | None = None
    for fact in facts:
        for keyword in ("const", "enum"):
            if keyword in fact:
                values = fact["enum"] if keyword == "enum" else [fact["const"]]
                budget.spend(1 + len(values) // 20)
                named = {document.identity(value): value for value in values}
                kept = named if found is None else found
                found = {key: value for key, value in kept.items() if key in named}
    return found


_SMALL: Final[dict[Identity, JSON]] = {identity(value): value for value in (None, True, False)}
# Kinds of which many values are described as well as one.
_ORDERED: Final = (INTEGER, FRACTION, STRING)


def _described(kind: str, literals: list[Literal]) -> dict[str, JSON]:
    """Return what is true of some values, so that the rules for any value also judge these."""
    values = [literal.value for literal in literals]
    if kind == STRING:
        lengths = [len(value) for value in values]
        return {"minLength": min(lengths), "maxLength": max(lengths)}
    if kind in (INTEGER, FRACTION):
        return {"minimum": min(values), "maximum": max(values)}
    (literal,) = values
    if kind == ARRAY:
        return {
            "prefixItems": [{"const": item} for item in literal],
            "minItems": len(literal),
            "maxItems": len(literal),
            "uniqueItems": len({identity(item) for item in literal}) == len(literal),
        }
    if kind == OBJECT:
        return {
            "properties": {name: {"const": value} for name, value in literal.items()},
            "required": list(literal),
            "additionalProperties": False,
            "minProperties": len(literal),
            "maxProperties": len(literal),
        }
    return {}


def _schema_of_unnamed(fact: dict[str, JSON]) -> JSON:
    additional = fact.get("additionalProperties", True)
    patterns = fact.get("patternProperties", {})
    # Which names a pattern means is not worked out: a hostile pattern may take for ever.
    if patterns and additional is not True:
        return {"anyOf": [additional, *patterns.values()]}
    return additional
