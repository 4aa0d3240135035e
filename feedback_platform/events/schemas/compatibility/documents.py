"""JSON Schemas made ready for comparison: nothing but rules, and each reference can be followed.

What a draft does not know, or does not take for a rule, is left out, and what drafts write in
different ways is written in one: first items as `prefixItems`, excluded bounds as numbers.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import unquote, urljoin

import orjson

from feedback_platform.events.schemas.compatibility.budget import Budget
from feedback_platform.events.schemas.json_schema.check import parts, schema_problem
from feedback_platform.events.schemas.json_schema.drafts import JSON, Draft, Form, draft_of

# Stands for a reference that leads nowhere that is known.
UNRESOLVED: Final = "$unresolved"
# The dynamic ones are taken for what they lead to where nothing else is meant by their names.
REFERENCES: Final = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})
_ANCHORS: Final = ("$anchor", "$dynamicAnchor")
_LONGEST_INDEX: Final = 9


# A text, a number or nothing as it is; whatever else as something that is none of these.
Identity = str | int | float | tuple[str] | bytes | None


class Document:
    """A whole schema with all that it refers to.

    Attributes:
        root: the rules of the whole.
    """

    def __init__(self, root: JSON, referenced: dict[str, JSON] | None = None) -> None:
        # By address: the schema as it was written, and its draft.
        self._resources: dict[str, tuple[JSON, Draft]] = {}
        # By address and name.
        self._anchors: dict[tuple[str, str], tuple[JSON, Draft]] = {}
        self._prepared: dict[int, JSON] = {}
        self._targets: dict[str, JSON] = {}
        self._identities: dict[int, Identity] = {}
        self._allowed: dict[int, frozenset[Identity]] = {}
        # What was prepared is known again by where it lies, and so must not go away.
        self._written = (root, referenced)
        base = _address(root, draft_of(root), "")
        for name, schema in (referenced or {}).items():
            draft = draft_of(schema)
            for address in (name, _joined(base, name)):
                self._resources.setdefault(address.removesuffix("#"), (schema, draft))
            self._prepare(schema, name, draft)
        self._resources[""] = self._resources[base] = (root, draft_of(root))
        self.root = self._prepare(root, base, draft_of(root))

    def target(self, reference: str, budget: Budget) -> JSON:
        """Return the rules that a reference leads to."""
        if reference not in self._targets:
            self._targets[reference] = self._found(reference, budget)
        return self._targets[reference]

    def identity(self, value: JSON) -> Identity:
        """Return the identity of a value that the document holds, worked out once."""
        if not isinstance(value, dict | list):
            return identity(value)
        if id(value) not in self._identities:
            self._identities[id(value)] = identity(value)
        return self._identities[id(value)]

    def allowed(self, values: list[JSON]) -> frozenset[Identity]:
        """Return the identities of the values of an `enum`, worked out once."""
        if id(values) not in self._allowed:
            self._allowed[id(values)] = frozenset(identity(value) for value in values)
        return self._allowed[id(values)]

    def _found(self, reference: str, budget: Budget) -> JSON:
        unresolved = {UNRESOLVED: reference}
        address, _, fragment = reference.partition("#")
        fragment = unquote(fragment)
        found = self._resources.get(address)
        if found is not None and fragment and not fragment.startswith("/"):
            found = self._anchors.get((address, fragment))
        if found is None:
            return unresolved
        target, draft = found
        if not fragment.startswith("/"):
            return self._prepare(target, address, draft)
        for step in fragment.split("/")[1:]:
            budget.spend()
            target = _child(target, step.replace("~1", "/").replace("~0", "~"))
            address = _address(target, draft, address)
        if id(target) not in self._prepared:
            # A pointer may lead anywhere in a document, also to what is no schema.
            budget.spend(_size(target))
            if not isinstance(target, dict | bool) or schema_problem(target, draft) is not None:
                return unresolved
        return self._prepare(target, address, draft)

    def _prepare(self, schema: JSON, base: str, draft: Draft) -> JSON:
        """Return the rules of a schema; the same object each time, so that it is known again."""
        if not isinstance(schema, dict) or not schema:
            return True if schema == {} else schema
        known = self._prepared.get(id(schema))
        if known is not None:
            return known
        base = self._register(schema, base, draft)
        rules: dict[str, JSON] = {}
        for keyword, value in schema.items():
            form = draft.keywords.get(keyword)
            if form is None:
                continue
            prepared = self._prepare_value(value, form, base, draft)
            if keyword in draft.rules:
                rules[keyword] = prepared
        for keyword in REFERENCES & rules.keys():
            rules[keyword] = _joined(base, rules[keyword])
        if "$ref" in rules and draft.ref_stands_alone:
            rules = {"$ref": rules["$ref"]}
        self._prepared[id(schema)] = rules
        _unify(rules)
        return rules

    def _prepare_value(self, value: JSON, form: Form, base: str, draft: Draft) -> JSON:
        children = [
            (self._prepare(child, base, draft), steps) for child, steps in parts(value, form)
        ]
        match form:
            case Form.SCHEMAS:
                return [child for child, _ in children]
            case Form.ITEMS if isinstance(value, list):
                return [child for child, _ in children]
            case Form.SCHEMA | Form.SCHEMA_OR_FLAG | Form.ITEMS:
                return children[0][0] if children else value
            case Form.SCHEMA_BY_NAME | Form.DEPENDENCIES:
                return {**value, **{steps[0]: child for child, steps in children}}
        return value

    def _register(self, schema: dict[str, JSON], base: str, draft: Draft) -> str:
        """Take down the addresses of a schema, and return to what references in it are relative."""
        named = schema.get(draft.id_keyword)
        is_hidden = draft.ref_stands_alone and "$ref" in schema
        if isinstance(named, str) and not is_hidden:
            if named.startswith("#"):
                self._anchors[base, named[1:]] = (schema, draft)
            else:
                base = _address(schema, draft, base)
                self._resources.setdefault(base, (schema, draft))
        for keyword in _ANCHORS:
            if keyword in draft.keywords and isinstance(schema.get(keyword), str):
                self._anchors[base, schema[keyword]] = (schema, draft)
        return base


def identity(value: JSON) -> Identity:
    """Return what two JSON values share exactly if JSON Schema takes them for the same.

    Whole numbers are the same however they are written; `true` is not 1.
    """
    if isinstance(value, bool):
        return ("true",) if value else ("false",)
    if isinstance(value, dict | list):
        content = orjson.dumps(_plain(value), option=orjson.OPT_SORT_KEYS)
        # Many thousands may be kept, and what is dumped takes a kilobyte at least.
        return hashlib.blake2b(content, digest_size=16).digest()
    plain: Identity = value
    return plain


def _plain(value: JSON) -> JSON:
    if isinstance(value, dict):
        return {key: _plain(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_plain(child) for child in value]
    if isinstance(value, float) and value.is_integer() and math.fabs(value) < 2**53:
        return int(value)
    return value


def _unify(rules: dict[str, JSON]) -> None:
    """Write in one way what drafts write in different ones, and drop rules without effect."""
    for side in ("Minimum", "Maximum"):
        # In draft 4 the one said only how the other was meant.
        exclusive = rules.get(f"exclusive{side}")
        if isinstance(exclusive, bool):
            del rules[f"exclusive{side}"]
            if exclusive and side.lower() in rules:
                rules[f"exclusive{side}"] = rules.pop(side.lower())
    rest = rules.pop("additionalItems", True)
    if isinstance(rules.get("items"), list):
        rules["prefixItems"] = rules.pop("items")
        rules["items"] = rest
    _drop_unless("contains", ("minContains", "maxContains"), rules)
    _drop_unless("if", ("then", "else"), rules)
    if "if" in rules and "then" not in rules and "else" not in rules:
        del rules["if"]


def _drop_unless(keyword: str, dependent: Iterable[str], rules: dict[str, JSON]) -> None:
    if keyword not in rules:
        for name in dependent:
            rules.pop(name, None)


def _child(value: JSON, step: str) -> JSON:
    if isinstance(value, dict):
        return value.get(step)
    if isinstance(value, list) and step.isascii() and step.isdecimal():
        index = int(step) if len(step) <= _LONGEST_INDEX else len(value)
        return value[index] if index < len(value) else None
    return None


def _size(value: JSON) -> int:
    """Return of how many values a value consists."""
    count = 0
    waiting: list[Any] = [value]
    while waiting:
        part = waiting.pop()
        count += 1
        if isinstance(part, dict):
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
    return count


def _address(schema: JSON, draft: Draft, base: str) -> str:
    """Return the address of a schema: its own if it has one, otherwise that of where it stands."""
    named = schema.get(draft.id_keyword) if isinstance(schema, dict) else None
    if not isinstance(named, str) or named.startswith("#"):
        return base
    if draft.ref_stands_alone and "$ref" in schema:
        return base
    return _joined(base, named).removesuffix("#")


def _joined(base: str, reference: str) -> str:
    try:
        return urljoin(base, reference) if base else reference
    except ValueError:
        # An older release let it in; it leads nowhere.
        return reference
