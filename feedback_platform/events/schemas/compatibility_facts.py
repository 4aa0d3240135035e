"""What a JSON Schema guarantees of the documents that it accepts: the writer's side.

A schema is opened up into cases. A case is one kind of value (null, boolean, integer, fraction,
string, array, object) and a list of plain facts, keyword by keyword, that all hold of it. Unions
become several cases, enumerations one for each value. Leaving a fact out is always allowed: it only
makes the writer look more liberal than it is, never the reader.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urljoin

import orjson

from feedback_platform.events.schemas.json_source import draft_of

JSON = Any
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
_STEPS: Final = 50_000
_CASES: Final = 2_000


class TooComplexError(Exception):
    """The comparison would take longer than it is worth; nobody was proven wrong."""


@dataclass(frozen=True)
class Case:
    """One kind of value that a schema accepts, and what holds of every such value.

    Unions that were opened up are still among the facts, to be recognised if they did not change.
    """

    kind: str
    facts: Facts

    def literal(self) -> tuple[JSON] | None:
        """Return the only value of this case, or None where there may be several."""
        for fact in self.facts:
            if "const" in fact:
                return (fact["const"],)
        return None


class Document:
    """A whole schema, in which its `$ref`s are looked up, and the work that is left for it."""

    def __init__(self, root: JSON, referenced: dict[str, JSON]) -> None:
        self._root = root
        self._referenced = {
            name: _with_absolute_references(schema, name) for name, schema in referenced.items()
        }
        self._left = _STEPS
        self._draft = draft_of(root)
        self._met: dict[str, JSON] = {}
        draft = root.get("$schema", "") if isinstance(root, dict) else ""
        # Until draft 7 a `$ref` hid whatever stood beside it.
        self._ref_stands_alone = "json-schema.org/draft-0" in draft

    def step(self) -> None:
        """Count one step of work.

        Raises:
            TooComplexError: there were too many.
        """
        self._left -= 1
        if self._left < 0:
            raise TooComplexError

    def dereferenced(self, schema: JSON) -> tuple[JSON, JSON | None]:
        """Return what stands beside a schema's `$ref`, and what it leads to (None: nothing).

        A reference that leads nowhere this document knows of leads to a schema of its own that
        equals no other.
        """
        if not isinstance(schema, dict) or not isinstance(schema.get("$ref"), str):
            return schema, None
        beside = {} if self._ref_stands_alone else {k: v for k, v in schema.items() if k != "$ref"}
        return beside, self._resolved(schema["$ref"])

    def inlined(self, schema: JSON, path: tuple[int, ...] = ()) -> JSON:
        """Return a schema with each `$ref` replaced by what it leads to.

        Where one leads back to a schema that it stands in, a mark says how far up: schemas that
        mean the same in the same way are the same then, whatever their definitions are called.
        """
        self.step()
        if isinstance(schema, list):
            return [self.inlined(part, path) for part in schema]
        if not isinstance(schema, dict):
            return schema
        beside, target = self.dereferenced(schema)
        inlined = {key: self.inlined(part, path) for key, part in beside.items()}
        if target is None:
            return inlined
        if id(target) in path:
            return {**inlined, "$up": len(path) - path.index(id(target))}
        return {**inlined, "$is": self.inlined(target, (*path, id(target)))}

    def _resolved(self, reference: str) -> JSON:
        if reference not in self._met:
            target = self._found(reference)
            # A pointer may lead anywhere in a document, also to what is no schema.
            is_schema = target is not None and self._draft(self._draft.META_SCHEMA).is_valid(target)
            self._met[reference] = target if is_schema else {"$unresolved": reference}
        return self._met[reference]

    def _found(self, reference: str) -> JSON:
        address, _, pointer = reference.partition("#")
        base = self._root.get("$id", "") if isinstance(self._root, dict) else ""
        if not address or address == base:
            target = self._root
        else:
            target = self._referenced.get(address)
            if target is None and isinstance(base, str):
                target = self._referenced.get(urljoin(base, address))
        for part in pointer.split("/")[1:] if target is not None else []:
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(target, dict):
                target = target.get(key)
            elif isinstance(target, list) and key.isdigit() and int(key) < len(target):
                target = target[int(key)]
            else:
                target = None
        return None if pointer and not pointer.startswith("/") else target


def cases(schemas: list[JSON], document: Document) -> Iterator[Case]:
    """Return the cases of what all of some schemas accept; impossible ones are left out."""
    expanded: list[Facts] = [[]]
    for schema in schemas:
        expanded = _product(expanded, _expanded(schema, document, ()))
    for facts in expanded:
        yield from _cases_of(facts, document)


def identity(value: JSON) -> bytes:
    """Return what two JSON values share exactly if JSON Schema takes them for the same.

    Whole numbers are the same however they are written; `true` is not 1.
    """
    return orjson.dumps(_plain(value), option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)


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


def _with_absolute_references(schema: JSON, name: str) -> JSON:
    """Return a referenced schema whose references to itself say its name."""
    if isinstance(schema, list):
        return [_with_absolute_references(part, name) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: f"{name}{part}"
        if key == "$ref" and isinstance(part, str) and part.startswith("#")
        else _with_absolute_references(part, name)
        for key, part in schema.items()
    }


def _plain(value: JSON) -> JSON:
    if isinstance(value, dict):
        return {key: _plain(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_plain(child) for child in value]
    if isinstance(value, float) and value.is_integer() and math.fabs(value) < 2**53:
        return int(value)
    # orjson has no integers of more than 64 bits.
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return {"$integer": str(value)}
    return value


def _product(left: list[Facts], right: list[Facts]) -> list[Facts]:
    if len(left) * len(right) > _CASES:
        raise TooComplexError
    return [[*one, *other] for one in left for other in right]


def _expanded(schema: JSON, document: Document, path: tuple[int, ...]) -> list[Facts]:
    """Return a schema as alternatives, each a list of facts without unions or references."""
    document.step()
    if schema is True or schema == {}:
        return [[]]
    if not isinstance(schema, dict):
        return [] if schema is False else [[]]
    # A schema that leads to itself before it says anything says nothing the second time.
    if id(schema) in path:
        return [[]]
    path = (*path, id(schema))
    beside, target = document.dereferenced(schema)
    expanded: list[Facts] = [[beside]]
    if target is not None:
        expanded = _product(expanded, _expanded(target, document, path))
    for part in _list(beside.get("allOf")):
        expanded = _product(expanded, _expanded(part, document, path))
    for union in _UNIONS:
        if union in beside:
            branches = [
                facts
                for branch in _list(beside[union])
                for facts in _expanded(branch, document, path)
            ]
            expanded = _product(expanded, branches)
    return expanded


def _cases_of(facts: Facts, document: Document) -> Iterator[Case]:
    kinds = set(KINDS)
    literals: list[JSON] | None = None
    for fact in facts:
        if "type" in fact:
            kinds &= kinds_of_type(fact["type"])
        allowed = [fact["const"]] if "const" in fact else fact.get("enum")
        if isinstance(allowed, list):
            literals = _shared(literals, allowed)
    if literals is None and kinds <= {NULL, BOOLEAN}:
        literals = [None, True, False]
    if literals is None:
        for kind in KINDS:
            document.step()
            if kind in kinds and kind not in (NULL, BOOLEAN):
                yield Case(kind, facts)
        literals = [None, True, False]
    for literal in literals:
        document.step()
        if kind_of(literal) in kinds:
            yield Case(kind_of(literal), [*facts, _described(literal)])


def _shared(known: list[JSON] | None, allowed: list[JSON]) -> list[JSON]:
    if known is None:
        return allowed
    identities = {identity(value) for value in allowed}
    return [value for value in known if identity(value) in identities]


def _described(literal: JSON) -> dict[str, JSON]:
    """Return a literal as facts, so that the rules for any value also judge this one."""
    described: dict[str, JSON] = {"const": literal}
    if isinstance(literal, str):
        described |= {"minLength": len(literal), "maxLength": len(literal)}
    elif isinstance(literal, list):
        described |= {
            "items": [{"const": item} for item in literal],
            "minItems": len(literal),
            "maxItems": len(literal),
            "uniqueItems": len({identity(item) for item in literal}) == len(literal),
        }
    elif isinstance(literal, dict):
        described |= {
            "properties": {name: {"const": value} for name, value in literal.items()},
            "required": list(literal),
            "additionalProperties": False,
            "minProperties": len(literal),
            "maxProperties": len(literal),
        }
    elif isinstance(literal, int | float) and not isinstance(literal, bool):
        described |= {"minimum": literal, "maximum": literal}
    return described


def _list(value: JSON) -> list[JSON]:
    return value if isinstance(value, list) else []
