"""Why a reader's JSON Schema may refuse a document that a writer's accepts.

The reader's schema is taken rule by rule, and each rule has to follow from what the writer's
guarantees; what does not follow is a message. So a silent comparison is a proof, and a message may
be a false alarm where a rule is beyond it (regular expressions, `not`, conditions that changed).

What registries call the open content model follows from that: where a writer lets properties
through that it does not name, a property that the reader adds may be anything in an old document.
Defaults do not help: no validator fills them in.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from typing import Final

from feedback_platform.events.schemas.compatibility import facts as f
from feedback_platform.events.schemas.compatibility.budget import MAX_DEPTH, Budget, TooComplexError
from feedback_platform.events.schemas.compatibility.documents import UNRESOLVED, Document
from feedback_platform.events.schemas.compatibility.exclusion import Exclusion
from feedback_platform.events.schemas.compatibility.facts import (
    Case,
    item_schema,
    property_schemas,
)
from feedback_platform.events.schemas.compatibility.sameness import is_same
from feedback_platform.events.schemas.compatibility.values import (
    literal_refusals,
    named,
    number_refusals,
    size_refusals,
    string_refusals,
)
from feedback_platform.events.schemas.json_schema.drafts import JSON

_MAX_MESSAGES: Final = 50
_MAX_REFUSALS: Final = 1_000
# Rules that are only ever compared as a whole.
_OPAQUE: Final = (
    "pattern",
    "contains",
    "propertyNames",
    "dependencies",
    "dependentSchemas",
    "dependentRequired",
    "unevaluatedProperties",
    "unevaluatedItems",
    "$dynamicRef",
    "$recursiveRef",
    UNRESOLVED,
)
# Of which kind of value an opaque rule speaks; the others speak of all.
_SPEAKS_OF: Final = {
    "pattern": f.STRING,
    "contains": f.ARRAY,
    "unevaluatedItems": f.ARRAY,
    "propertyNames": f.OBJECT,
    "dependencies": f.OBJECT,
    "dependentSchemas": f.OBJECT,
    "dependentRequired": f.OBJECT,
    "unevaluatedProperties": f.OBJECT,
}
_PATTERNS: Final = ("patternProperties",)
_Messages = Iterator[str]


def json_incompatibilities(reader: Document, writer: Document, budget: Budget) -> list[str]:
    """Return why documents of a writer may not validate against a reader; nothing if they all do.

    Raises:
        TooComplexError: it takes more work than is left; the error says where it was given up.
    """
    comparison = _Comparison(reader, writer, budget)
    try:
        return comparison.messages()
    except TooComplexError as error:
        raise TooComplexError(f"{comparison.place}: {error}") from error
    except RecursionError as error:
        raise TooComplexError(f"{comparison.place}: the schemas are nested too deeply") from error


class _Comparison:
    """One comparison: both documents, and the pairs of schemas that were or are being compared.

    Attributes:
        place: what is being compared.
    """

    def __init__(self, reader: Document, writer: Document, budget: Budget) -> None:
        self._reader = reader
        self._writer = writer
        self._budget = budget
        self._exclusion = Exclusion(reader, writer, budget)
        self._met: dict[tuple[int, ...], tuple[JSON, list[JSON]]] = {}
        self._unchanged: dict[tuple[object, ...], bool] = {}
        self.place = "#"

    def messages(self) -> list[str]:
        if is_same(self._reader.root, self._reader, self._writer.root, self._writer, self._budget):
            return []
        found: dict[str, None] = {}
        every = self._compare(self._reader.root, [self._writer.root], "#", 0)
        # Many values may be refused for one reason.
        for message in islice(every, _MAX_REFUSALS):
            found[message] = None
            if len(found) >= _MAX_MESSAGES:
                break
        return list(found)

    def _compare(self, reader: JSON, writers: list[JSON], path: str, depth: int) -> _Messages:
        """Say what of all that the writers together accept the reader may refuse."""
        self._budget.spend()
        if reader is True or reader == {}:
            return
        self.place = path
        if depth > MAX_DEPTH:
            yield f"{path}: the schemas are nested too deeply to be compared"
            return
        pair = (id(reader), *(id(writer) for writer in writers))
        # A schema that contains itself: whatever is wrong is found where it was met first.
        if pair in self._met:
            return
        before = len(self._met)
        # The schemas are kept, so that no other gets the address of one.
        self._met[pair] = (reader, writers)
        is_refused = False
        try:
            for case in f.cases(writers, self._writer, self._budget):
                for message in self._case_refusals(reader, case, path, depth):
                    is_refused = True
                    yield message
        finally:
            # What was found fine meanwhile may have been so only as long as this pair was.
            while is_refused and len(self._met) > before:
                self._met.popitem()

    def _case_refusals(self, reader: JSON, case: Case, path: str, depth: int) -> _Messages:
        """Say why a reader may refuse values of a case; of many values, which of them."""
        halves = case.halves()
        if len(halves) == 1:
            yield from self._refusals(reader, case, path, depth)
        elif any(True for _ in self._refusals(reader, case, path, depth)):
            self._budget.spend(5 + len(case.facts) // 8 + len(case.literals or ()) // 20)
            for half in halves:
                yield from self._case_refusals(reader, half, path, depth)

    def _refusals(self, reader: JSON, case: Case, path: str, depth: int) -> _Messages:
        """Say why a reader may refuse values of one case."""
        self._budget.spend()
        if reader is True or id(reader) in case.passed:
            return
        is_refused = False
        for message in self._rule_refusals(reader, case, path, depth):
            is_refused = True
            yield message
        if not is_refused:
            case.passed.add(id(reader))

    def _rule_refusals(self, reader: JSON, case: Case, path: str, depth: int) -> _Messages:
        if depth > MAX_DEPTH:
            yield f"{path}: the schemas are nested too deeply to be compared"
            return
        if reader is False:
            yield f"{path}: {named(case)} is not accepted any more"
            return
        if "$ref" in reader:
            target = self._reader.target(reader["$ref"], self._budget)
            yield from self._refusals(target, case, path, depth + 1)
        if "type" in reader and case.kind not in f.kinds_of_type(reader["type"]):
            yield f"{path}: {named(case)} is not accepted any more, only {reader['type']}"
            return
        yield from literal_refusals(reader, self._reader, case, path, self._budget)
        yield from self._opaque_refusals(reader, case, path)
        yield from self._combined_refusals(reader, case, path, depth + 1)
        match case.kind:
            case f.INTEGER | f.FRACTION:
                yield from number_refusals(reader, case, path, self._budget)
            case f.STRING:
                yield from string_refusals(reader, case, path)
            case f.ARRAY:
                yield from self._array_refusals(reader, case, path, depth + 1)
            case f.OBJECT:
                yield from self._object_refusals(reader, case, path, depth + 1)

    def _combined_refusals(
        self, reader: dict[str, JSON], case: Case, path: str, depth: int
    ) -> _Messages:
        for index, part in enumerate(reader.get("allOf", [])):
            yield from self._refusals(part, case, f"{path}/allOf/{index}", depth)
        if "anyOf" in reader:
            yield from self._union_refusals(reader["anyOf"], case, f"{path}/anyOf", depth)
        if "oneOf" in reader and not self._is_unchanged(reader, case, ("oneOf",)):
            branches = reader["oneOf"]
            yield from self._union_refusals(branches, case, f"{path}/oneOf", depth)
            possible = [
                branch for branch in branches if not self._exclusion.holds(branch, case, depth)
            ]
            if len(possible) > 1:
                yield f"{path}/oneOf: {named(case)} may satisfy more than one alternative"
        if "not" in reader and not self._exclusion.holds(reader["not"], case, depth):
            yield from self._unless_unchanged(reader, case, ("not",), path)
        if "if" in reader:
            yield from self._conditional_refusals(reader, case, path, depth)

    def _union_refusals(self, branches: list[JSON], case: Case, path: str, depth: int) -> _Messages:
        reasons: list[list[str]] = []
        for index, branch in enumerate(branches):
            refusals = self._refusals(branch, case, f"{path}/{index}", depth)
            reasons.append(list(islice(refusals, _MAX_MESSAGES)))
            if not reasons[-1]:
                return
        # The alternative that fails for the fewest reasons is the one that was meant.
        yield from min(reasons, key=len, default=[f"{path}: nothing is accepted any more"])

    def _conditional_refusals(
        self, reader: dict[str, JSON], case: Case, path: str, depth: int
    ) -> _Messages:
        both = [
            *self._refusals(reader.get("then", True), case, f"{path}/then", depth),
            *self._refusals(reader.get("else", True), case, f"{path}/else", depth),
        ]
        if both:
            yield from self._unless_unchanged(reader, case, ("if", "then", "else"), path)

    def _opaque_refusals(self, reader: dict[str, JSON], case: Case, path: str) -> _Messages:
        for keyword in _OPAQUE:
            if keyword in reader and _SPEAKS_OF.get(keyword, case.kind) == case.kind:
                yield from self._unless_unchanged(
                    reader, case, _read_with(keyword, reader, case), path
                )

    def _unless_unchanged(
        self, reader: dict[str, JSON], case: Case, keywords: tuple[str, ...], path: str
    ) -> _Messages:
        """Say that a rule is new or changed, unless the writer has the very same one."""
        if not self._is_unchanged(reader, case, keywords):
            known = any(keywords[0] in fact for fact in case.facts)
            yield f"{path}/{keywords[0]}: the rule {'was changed' if known else 'is new'}"

    def _is_unchanged(self, reader: dict[str, JSON], case: Case, keywords: tuple[str, ...]) -> bool:
        """Return whether the writer has the very same rule as the reader."""
        self._budget.spend(1 + len(case.facts) // 8)
        return any(
            self._has_same(reader, fact, keywords) for fact in case.facts if keywords[0] in fact
        )

    def _has_same(
        self, reader: dict[str, JSON], fact: dict[str, JSON], keywords: tuple[str, ...]
    ) -> bool:
        key = (id(reader), id(fact), keywords)
        if key not in self._unchanged:
            one, other = (
                {name: schema[name] for name in keywords if name in schema}
                for schema in (reader, fact)
            )
            self._unchanged[key] = is_same(one, self._reader, other, self._writer, self._budget)
        return self._unchanged[key]

    def _array_refusals(
        self, reader: dict[str, JSON], case: Case, path: str, depth: int
    ) -> _Messages:
        yield from size_refusals(reader, case, path, ("minItems", "maxItems"), "items")
        longest = case.bounds.get("maxItems", math.inf)
        self._budget.spend(1 + len(case.facts) // 8)
        if (
            reader.get("uniqueItems") is True
            and longest > 1
            and not any(fact.get("uniqueItems") is True for fact in case.facts)
        ):
            yield f"{path}/uniqueItems: items have to differ now"
        # Nothing of the reader speaks of items.
        if "items" not in reader and "prefixItems" not in reader:
            return
        positions = max(len(part.get("prefixItems", ())) for part in (reader, *case.facts))
        for index in range(positions + 1):
            # The place behind all that are spelled out stands for the rest of them.
            if index < longest:
                self._budget.spend(1 + len(case.facts))
                written = [item_schema(fact, index) for fact in case.facts]
                yield from self._compare(
                    item_schema(reader, index), written, f"{path}/items/{index}", depth
                )

    def _object_refusals(
        self, reader: dict[str, JSON], case: Case, path: str, depth: int
    ) -> _Messages:
        for name in reader.get("required", ()):
            if name not in case.required:
                yield f"{path}/required: {name!r} is required now"
        yield from size_refusals(
            reader, case, path, ("minProperties", "maxProperties"), "properties"
        )
        for name, wanted in reader.get("properties", {}).items():
            written = property_schemas(case, name, self._budget)
            where = f"{path}/properties/{_escaped(name)}"
            if written == [] and wanted not in (True, {}):
                if any(True for _ in self._compare(wanted, [True], where, depth)):
                    yield (
                        f"{where}: the property is new, and old documents may hold anything under "
                        "its name (their content model is open)"
                    )
            else:
                yield from self._compare(wanted, written, where, depth)
        yield from self._other_property_refusals(reader, case, path, depth)

    def _other_property_refusals(
        self, reader: dict[str, JSON], case: Case, path: str, depth: int
    ) -> _Messages:
        """Say what becomes of properties that the reader does not name."""
        listed = reader.get("properties", {})
        patterns = reader.get("patternProperties", {})
        additional = reader.get("additionalProperties", True)
        if not patterns and additional in (True, {}):
            return
        self._budget.spend(1 + len(case.facts) // 8 + len(case.properties) // 8)
        # Where both have the same patterns, `additionalProperties` means the same names in both.
        alike = [
            fact
            for fact in case.facts
            if "patternProperties" in fact and self._has_same(reader, fact, _PATTERNS)
        ]
        if alike:
            others = [fact.get("additionalProperties", True) for fact in alike]
        else:
            others = property_schemas(case, None, self._budget)
        names = [name for name in case.properties if name not in listed]
        yield from self._unnamed_refusals(
            additional, names, others, case, f"{path}/additionalProperties", depth
        )
        for pattern, rule in patterns.items() if not alike else ():
            where = f"{path}/patternProperties/{_escaped(pattern)}"
            yield from self._unnamed_refusals(
                rule, list(case.properties), others, case, where, depth
            )

    def _unnamed_refusals(
        self, rule: JSON, names: list[str], others: list[JSON], case: Case, path: str, depth: int
    ) -> _Messages:
        """Say which of the writer's properties a rule for names that are not listed refuses."""
        if rule is True or rule == {}:
            return
        for name in names:
            schemas = property_schemas(case, name, self._budget)
            if rule is False and False not in schemas:
                yield f"{path}: the property {name!r} is gone, and no others are accepted"
            elif rule is not False:
                yield from self._compare(rule, schemas, path, depth)
        if any(True for _ in self._compare(rule, others or [True], path, depth)):
            yield f"{path}: properties that are not named are restricted now"


def _read_with(keyword: str, reader: dict[str, JSON], case: Case) -> tuple[str, ...]:
    """Return a keyword and those that say what it means."""
    if keyword == "contains":
        return (keyword, "minContains", "maxContains")
    if keyword.startswith("unevaluated"):
        facts = [fact for fact in case.facts if keyword in fact]
        return (keyword, *dict.fromkeys(name for part in (reader, *facts) for name in part))
    return (keyword,)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
