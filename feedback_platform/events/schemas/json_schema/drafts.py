"""The keywords of JSON Schema: which of them each draft has, and what stands under each.

One table serves for checking a schema and for walking through it. Patterns are not compiled: they
are expressions of ECMA 262 and not of Python, where a short one can take minutes to compile.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

JSON = Any

TYPES: Final = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})


class Form(Enum):
    """What a keyword takes."""

    SCHEMA = auto()
    SCHEMA_OR_FLAG = auto()
    SCHEMAS = auto()
    # In older drafts a schema, or a list of them.
    ITEMS = auto()
    SCHEMA_BY_NAME = auto()
    # A schema by name, or the names that have to come along.
    DEPENDENCIES = auto()
    NAMES_BY_NAME = auto()
    NAMES = auto()
    TYPE = auto()
    COUNT = auto()
    NUMBER = auto()
    POSITIVE_NUMBER = auto()
    FLAG = auto()
    TEXT = auto()
    URI = auto()
    LIST = auto()
    ANYTHING = auto()


@dataclass(frozen=True)
class Draft:
    """One draft of JSON Schema.

    Attributes:
        name: as `$schema` writes it, without the fragment.
        keywords: what stands under each that it has.
        rules: those of them that refuse documents.
        id_keyword: what gives a schema its address.
    """

    name: str
    keywords: dict[str, Form]
    rules: frozenset[str]
    id_keyword: str = "$id"
    has_boolean_schemas: bool = True
    ref_stands_alone: bool = True


def draft_of(schema: JSON) -> Draft:
    """Return the draft that a schema names; draft 7 where it names none that is known."""
    return _BY_NAME.get(_named_draft(schema), _UNNAMED)


def is_too_old(schema: JSON) -> bool:
    """Return whether a schema names a draft that is older than all that are supported."""
    return _named_draft(schema) in _UNSUPPORTED


def _named_draft(schema: JSON) -> str:
    named = schema.get("$schema") if isinstance(schema, dict) else None
    if not isinstance(named, str):
        return ""
    return named.removesuffix("#").replace("https://", "http://", 1)


_ANNOTATIONS: Final = {
    "$schema": Form.TEXT,
    "title": Form.TEXT,
    "description": Form.TEXT,
    "default": Form.ANYTHING,
    "format": Form.TEXT,
    "definitions": Form.SCHEMA_BY_NAME,
}
_RULES_4: Final = {
    "$ref": Form.URI,
    "multipleOf": Form.POSITIVE_NUMBER,
    "maximum": Form.NUMBER,
    "exclusiveMaximum": Form.FLAG,
    "minimum": Form.NUMBER,
    "exclusiveMinimum": Form.FLAG,
    "maxLength": Form.COUNT,
    "minLength": Form.COUNT,
    "pattern": Form.TEXT,
    "additionalItems": Form.SCHEMA_OR_FLAG,
    "items": Form.ITEMS,
    "maxItems": Form.COUNT,
    "minItems": Form.COUNT,
    "uniqueItems": Form.FLAG,
    "maxProperties": Form.COUNT,
    "minProperties": Form.COUNT,
    "required": Form.NAMES,
    "additionalProperties": Form.SCHEMA_OR_FLAG,
    "properties": Form.SCHEMA_BY_NAME,
    "patternProperties": Form.SCHEMA_BY_NAME,
    "dependencies": Form.DEPENDENCIES,
    "enum": Form.LIST,
    "type": Form.TYPE,
    "allOf": Form.SCHEMAS,
    "anyOf": Form.SCHEMAS,
    "oneOf": Form.SCHEMAS,
    "not": Form.SCHEMA,
}
_RULES_6: Final = {
    **_RULES_4,
    "additionalItems": Form.SCHEMA,
    "additionalProperties": Form.SCHEMA,
    "exclusiveMaximum": Form.NUMBER,
    "exclusiveMinimum": Form.NUMBER,
    "const": Form.ANYTHING,
    "contains": Form.SCHEMA,
    "propertyNames": Form.SCHEMA,
}
_RULES_7: Final = {
    **_RULES_6,
    "if": Form.SCHEMA,
    "then": Form.SCHEMA,
    "else": Form.SCHEMA,
}
_RULES_2019: Final = {
    **_RULES_7,
    "$recursiveRef": Form.URI,
    "dependentRequired": Form.NAMES_BY_NAME,
    "dependentSchemas": Form.SCHEMA_BY_NAME,
    "maxContains": Form.COUNT,
    "minContains": Form.COUNT,
    "unevaluatedItems": Form.SCHEMA,
    "unevaluatedProperties": Form.SCHEMA,
}
_RULES_2020: Final = {
    **_RULES_2019,
    "$dynamicRef": Form.URI,
    "prefixItems": Form.SCHEMAS,
    "items": Form.SCHEMA,
}
for _gone in ("additionalItems", "$recursiveRef"):
    del _RULES_2020[_gone]
_ANNOTATIONS_6: Final = {**_ANNOTATIONS, "$id": Form.URI, "examples": Form.LIST}
_ANNOTATIONS_7: Final = {
    **_ANNOTATIONS_6,
    "$comment": Form.TEXT,
    "readOnly": Form.FLAG,
    "contentEncoding": Form.TEXT,
    "contentMediaType": Form.TEXT,
}
_ANNOTATIONS_2019: Final = {
    **_ANNOTATIONS_7,
    "$anchor": Form.TEXT,
    "$recursiveAnchor": Form.FLAG,
    "$defs": Form.SCHEMA_BY_NAME,
    "contentSchema": Form.SCHEMA,
    "deprecated": Form.FLAG,
    "writeOnly": Form.FLAG,
}
_ANNOTATIONS_2020: Final = {
    **_ANNOTATIONS_2019,
    "$dynamicAnchor": Form.TEXT,
    # Names of the draft before, which this one knows as names and references no more than that.
    "$recursiveAnchor": Form.TEXT,
    "$recursiveRef": Form.URI,
}


def _draft(
    name: str, annotations: dict[str, Form], rules: dict[str, Form], **properties: Any
) -> Draft:
    return Draft(name, annotations | rules, frozenset(rules), **properties)


_DRAFT_4: Final = _draft(
    "http://json-schema.org/draft-04/schema",
    {**_ANNOTATIONS, "id": Form.URI},
    _RULES_4,
    id_keyword="id",
    has_boolean_schemas=False,
)
_DRAFT_6: Final = _draft("http://json-schema.org/draft-06/schema", _ANNOTATIONS_6, _RULES_6)
_DRAFT_7: Final = _draft("http://json-schema.org/draft-07/schema", _ANNOTATIONS_7, _RULES_7)
_DRAFT_2019: Final = _draft(
    "http://json-schema.org/draft/2019-09/schema",
    _ANNOTATIONS_2019,
    _RULES_2019,
    ref_stands_alone=False,
)
_DRAFT_2020: Final = _draft(
    "http://json-schema.org/draft/2020-12/schema",
    _ANNOTATIONS_2020,
    _RULES_2020,
    ref_stands_alone=False,
)
# Who names no draft may mean any from 7: rules that came later count as well.
_UNNAMED: Final = _draft(
    _DRAFT_7.name,
    {**_ANNOTATIONS_2020, "$recursiveAnchor": Form.ANYTHING},
    {**_RULES_2020, **_RULES_7},
    ref_stands_alone=False,
)
DRAFTS: Final = (_DRAFT_4, _DRAFT_6, _DRAFT_7, _DRAFT_2019, _DRAFT_2020)
_BY_NAME: Final = {draft.name: draft for draft in DRAFTS}
_UNSUPPORTED: Final = tuple(f"http://json-schema.org/draft-0{number}/schema" for number in range(4))
SUPPORTED: Final = "draft-04, draft-06, draft-07, draft/2019-09 and draft/2020-12"
