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
from collections.abc import Callable, Iterator
from typing import Final

from feedback_platform.events.schemas import compatibility_facts as f
from feedback_platform.events.schemas.compatibility_facts import JSON, Case, Document, identity
from feedback_platform.events.schemas.compatibility_objects import (
    allowed_names,
    item_schemas,
    property_schemas,
)
from feedback_platform.events.schemas.compatibility_values import (
    literal_refusals,
    named,
    number_refusals,
    size_refusals,
    string_refusals,
)

_MAX_DEPTH: Final = 64
_MAX_MESSAGES: Final = 50
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
    "$unresolved",
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


def json_incompatibilities(
    reader: JSON,
    writer: JSON,
    *,
    reader_references: dict[str, JSON] | None = None,
    writer_references: dict[str, JSON] | None = None,
) -> list[str]:
    """Return why documents of a writer may not validate against a reader; nothing if they all do.

    Args:
        reader: a JSON Schema as parsed.
        writer: another.
        reader_references: what the reader's `$ref`s name, beside itself.
        writer_references: the same of the writer.
    """
    comparison = _Comparison(
        Document(reader, reader_references or {}), Document(writer, writer_references or {})
    )
    if identity([reader, reader_references or {}]) == identity([writer, writer_references or {}]):
        return []
    try:
        return comparison.messages(reader, [writer])
    except (f.TooComplexError, RecursionError):
        return ["#: the schemas are too complex to be compared"]


class _Comparison:
    """One comparison: both documents, and the pairs of schemas that are being compared already."""

    def __init__(self, reader: Document, writer: Document) -> None:
        self._reader = reader
        self._writer = writer
        self._open: set[tuple[int, tuple[int, ...]]] = set()

    def messages(self, reader: JSON, writers: list[JSON]) -> list[str]:
        found: dict[str, None] = {}
        for message in self._compare(reader, writers, "#", 0):
            found[message] = None
            if len(found) >= _MAX_MESSAGES:
                break
        return list(found)

    def _compare(self, reader: JSON, writers: list[JSON], path: str, depth: int) -> _Messages:
        """Say what of all that the writers together accept the reader may refuse."""
        self._reader.step()
        if reader is True or reader == {}:
            return
        if depth > _MAX_DEPTH:
            yield f"{path}: the schemas are nested too deeply to be compared"
            return
        pair = (id(reader), tuple(id(writer) for writer in writers))
        # A schema that contains itself: whatever is wrong is found where it was met first.
        if pair in self._open:
            return
        self._open.add(pair)
        try:
            for case in f.cases(writers, self._writer):
                yield from self._refusals(reader, case, path, depth)
        finally:
            self._open.discard(pair)

    def _refusals(self, reader: JSON, case: Case, path: str, depth: int) -> _Messages:
        """Say why a reader may refuse values of one case."""
        self._reader.step()
        if depth > _MAX_DEPTH:
            yield f"{path}: the schemas are nested too deeply to be compared"
            return
        if reader is False:
            yield f"{path}: {named(case)} is not accepted any more"
            return
        if not isinstance(reader, dict):
            return
        beside, target = self._reader.dereferenced(reader)
        if target is not None:
            yield from self._refusals(target, case, path, depth + 1)
        if "type" in beside and case.kind not in f.kinds_of_type(beside["type"]):
            yield f"{path}: {named(case)} is not accepted any more, only {beside['type']}"
            return
        yield from literal_refusals(beside, case, path)
        yield from self._opaque_refusals(beside, case, path)
        yield from self._combined_refusals(beside, case, path, depth + 1)
        judge = self._judges().get(case.kind)
        if judge is not None:
            yield from judge(beside, case, path, depth + 1)

    def _judges(self) -> dict[str, Callable[[dict[str, JSON], Case, str, int], _Messages]]:
        return {
            f.INTEGER: number_refusals,
            f.FRACTION: number_refusals,
            f.STRING: string_refusals,
            f.ARRAY: self._array_refusals,
            f.OBJECT: self._object_refusals,
        }

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
            possible = [branch for branch in branches if not self._excluded(branch, case, depth)]
            if len(possible) > 1:
                yield f"{path}/oneOf: {named(case)} may satisfy more than one alternative"
        if "not" in reader and not self._excluded(reader["not"], case, depth):
            yield from self._unless_unchanged(reader, case, ("not",), path)
        if "if" in reader:
            yield from self._conditional_refusals(reader, case, path, depth)

    def _union_refusals(self, branches: list[JSON], case: Case, path: str, depth: int) -> _Messages:
        reasons: list[list[str]] = []
        for index, branch in enumerate(branches):
            reasons.append(list(self._refusals(branch, case, f"{path}/{index}", depth)))
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
        facts = [fact for fact in case.facts if keywords[0] in fact]
        if not facts:
            return False
        rule = identity(self._reader.inlined([reader.get(keyword) for keyword in keywords]))
        return any(
            identity(self._writer.inlined([fact.get(keyword) for keyword in keywords])) == rule
            for fact in facts
        )

    def _excluded(self, schema: JSON, case: Case, depth: int) -> bool:
        """Return whether no value of a case can satisfy a schema, as far as is plain to see."""
        self._reader.step()
        if not isinstance(schema, dict) or depth > _MAX_DEPTH:
            return schema is False
        beside, target = self._reader.dereferenced(schema)
        conditions = [*beside.get("allOf", []), *([] if target is None else [target])]
        unions = [beside[union] for union in ("anyOf", "oneOf") if union in beside]
        return (
            ("type" in beside and case.kind not in f.kinds_of_type(beside["type"]))
            or (case.literal() is not None and any(literal_refusals(beside, case, "")))
            or any(self._excluded(part, case, depth + 1) for part in conditions)
            or any(
                all(self._excluded(branch, case, depth + 1) for branch in branches)
                for branches in unions
            )
            or (case.kind == f.OBJECT and self._excluded_by_a_property(beside, case, depth))
        )

    def _excluded_by_a_property(self, schema: dict[str, JSON], case: Case, depth: int) -> bool:
        present = {name for fact in case.facts for name in fact.get("required", [])}
        for name, wanted in schema.get("properties", {}).items():
            if name in present:
                values = f.cases(property_schemas(case, name), self._writer)
                if all(self._excluded(wanted, value, depth + 1) for value in values):
                    return True
        names = allowed_names(case)
        return names is not None and any(n not in names for n in schema.get("required", []))

    def _array_refusals(
        self, reader: dict[str, JSON], case: Case, path: str, depth: int
    ) -> _Messages:
        yield from size_refusals(reader, case, path, ("minItems", "maxItems"), "items")
        if reader.get("uniqueItems") is True and not any(
            fact.get("uniqueItems") is True or fact.get("maxItems", 2) <= 1 for fact in case.facts
        ):
            yield f"{path}/uniqueItems: items have to differ now"
        lists = [reader, *case.facts]
        positions = max(len(item_schemas(part)[0]) for part in lists)
        longest = min(fact.get("maxItems", math.inf) for fact in case.facts or [{}])
        for index in range(positions + 1):
            # The place behind all that are spelled out stands for the rest of them.
            if index < longest:
                written = [_item_at(fact, index) for fact in case.facts]
                yield from self._compare(
                    _item_at(reader, index), written, f"{path}/items/{index}", depth
                )

    def _object_refusals(
        self, reader: dict[str, JSON], case: Case, path: str, depth: int
    ) -> _Messages:
        present = {name for fact in case.facts for name in fact.get("required", [])}
        for name in reader.get("required", []):
            if name not in present:
                yield f"{path}/required: {name!r} is required now"
        sized = Case(case.kind, [*case.facts, {"minProperties": len(present)}])
        yield from size_refusals(
            reader, sized, path, ("minProperties", "maxProperties"), "properties"
        )
        properties = reader.get("properties", {})
        for name, wanted in properties.items():
            written = property_schemas(case, name)
            where = f"{path}/properties/{_escaped(name)}"
            if written == [] and wanted not in (True, {}):
                if list(self._compare(wanted, [True], where, depth)):
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
        written = {name: None for fact in case.facts for name in fact.get("properties", {})}
        # Where both have the same patterns, `additionalProperties` means the same names in both.
        alike = [
            fact
            for fact in case.facts
            if patterns and self._is_unchanged(reader, Case(case.kind, [fact]), _PATTERNS)
        ]
        if alike:
            others = [fact.get("additionalProperties", True) for fact in alike]
        else:
            others = property_schemas(case, None)
        names = [name for name in written if name not in listed]
        yield from self._unnamed_refusals(
            additional, names, others, case, f"{path}/additionalProperties", depth
        )
        for pattern, rule in patterns.items() if not alike else ():
            where = f"{path}/patternProperties/{_escaped(pattern)}"
            yield from self._unnamed_refusals(rule, list(written), others, case, where, depth)

    def _unnamed_refusals(
        self, rule: JSON, names: list[str], others: list[JSON], case: Case, path: str, depth: int
    ) -> _Messages:
        """Say which of the writer's properties a rule for names that are not listed refuses."""
        if rule is True or rule == {}:
            return
        for name in names:
            schemas = property_schemas(case, name)
            if rule is False and False not in schemas:
                yield f"{path}: the property {name!r} is gone, and no others are accepted"
            elif rule is not False:
                yield from self._compare(rule, schemas, path, depth)
        if list(self._compare(rule, others or [True], path, depth)):
            yield f"{path}: properties that are not named are restricted now"


def _read_with(keyword: str, reader: dict[str, JSON], case: Case) -> tuple[str, ...]:
    """Return a keyword and those that say what it means."""
    if keyword == "contains":
        return (keyword, "minContains", "maxContains")
    if keyword.startswith("unevaluated"):
        facts = [fact for fact in case.facts if keyword in fact]
        return (keyword, *dict.fromkeys(name for part in (reader, *facts) for name in part))
    return (keyword,)


def _item_at(schema: dict[str, JSON], index: int) -> JSON:
    fixed, rest = item_schemas(schema)
    return fixed[index] if index < len(fixed) else rest


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
