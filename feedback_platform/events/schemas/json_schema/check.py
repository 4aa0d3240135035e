"""What is wrong with a JSON Schema, by the table of its draft's keywords.

It finds what the drafts' own meta-schemas find, in time that grows with the schema's size alone.
What harms nobody is let through: an anchor of odd characters; and in draft 4 an empty or repetitive
`required` or `enum`, which newer drafts allow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import urlsplit

from feedback_platform.events.schemas.json_schema.drafts import JSON, TYPES, Draft, Form

_LONGEST_QUOTE: Final = 100
_Path = tuple[str | int, ...]


def schema_problem(schema: JSON, draft: Draft) -> str | None:
    """Return what is wrong with a schema, beginning with where; None if it is one."""
    waiting: list[tuple[JSON, _Path]] = [(schema, ())]
    while waiting:
        part, path = waiting.pop()
        if isinstance(part, bool) and draft.has_boolean_schemas:
            continue
        if not isinstance(part, dict):
            kinds = "an object, true or false" if draft.has_boolean_schemas else "an object"
            return f"{_place(path)}: a schema is {kinds}, not {_quoted(part)}"
        for keyword, value in part.items():
            form = draft.keywords.get(keyword)
            if form is None:
                continue
            if (wanted := unmet(value, form)) is not None:
                return f"{_place((*path, keyword))}: it has to be {wanted}, not {_quoted(value)}"
            waiting.extend((child, (*path, keyword, *steps)) for child, steps in parts(value, form))
    return None


def parts(value: JSON, form: Form) -> Iterator[tuple[JSON, _Path]]:
    """Return the schemas right under a keyword, and the steps that lead to each."""
    match form:
        case Form.SCHEMA_OR_FLAG if isinstance(value, bool):
            return
        case Form.SCHEMA | Form.SCHEMA_OR_FLAG:
            yield value, ()
        case Form.ITEMS if not isinstance(value, list):
            yield value, ()
        case Form.SCHEMAS | Form.ITEMS:
            yield from ((child, (index,)) for index, child in enumerate(value))
        case Form.SCHEMA_BY_NAME | Form.DEPENDENCIES:
            for name, child in value.items():
                if form is Form.SCHEMA_BY_NAME or not isinstance(child, list):
                    yield child, (name,)


def unmet(value: JSON, form: Form) -> str | None:
    """Return what a keyword takes, in words, where its value is something else.

    The schemas under it are not looked at.
    """
    is_met, words = _TAKES.get(form, (None, ""))
    return None if is_met is None or is_met(value) else words


def _are_names(value: JSON) -> bool:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        return False
    return len(set(value)) == len(value)


def _are_schemas(value: JSON) -> bool:
    return isinstance(value, list) and len(value) > 0


def _are_dependencies(value: JSON) -> bool:
    return isinstance(value, dict) and all(
        _are_names(child) for child in value.values() if isinstance(child, list)
    )


def _are_names_by_name(value: JSON) -> bool:
    return isinstance(value, dict) and all(_are_names(child) for child in value.values())


def _is_type(value: JSON) -> bool:
    names = value if isinstance(value, list) and value else [value]
    return _are_names(names) and TYPES.issuperset(names)


def _is_number(value: JSON) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: JSON) -> bool:
    return _is_number(value) and value >= 0 and value == int(value)


def _is_uri(value: JSON) -> bool:
    if not isinstance(value, str):
        return False
    try:
        urlsplit(value)
    except ValueError:
        return False
    return True


# What each form takes, and how that is called; a single schema is looked at when its turn comes.
_TAKES: Final[dict[Form, tuple[Callable[[JSON], bool], str]]] = {
    Form.SCHEMAS: (_are_schemas, "a list of schemas"),
    Form.ITEMS: (lambda value: value != [], "a schema, or a list of schemas"),
    Form.SCHEMA_BY_NAME: (lambda value: isinstance(value, dict), "an object of schemas"),
    Form.DEPENDENCIES: (_are_dependencies, "an object of schemas or lists of different names"),
    Form.NAMES_BY_NAME: (_are_names_by_name, "an object of lists of different names"),
    Form.TYPE: (_is_type, f"one or some of {', '.join(sorted(TYPES))}"),
    Form.NAMES: (_are_names, "a list of different names"),
    Form.COUNT: (_is_count, "a whole number from 0"),
    Form.NUMBER: (_is_number, "a number"),
    Form.POSITIVE_NUMBER: (lambda value: _is_number(value) and value > 0, "a number above 0"),
    Form.FLAG: (lambda value: isinstance(value, bool), "true or false"),
    Form.TEXT: (lambda value: isinstance(value, str), "a text"),
    Form.URI: (_is_uri, "a URI"),
    Form.LIST: (lambda value: isinstance(value, list), "a list"),
}


def _place(path: _Path) -> str:
    return "/".join(("#", *(str(step).replace("~", "~0").replace("/", "~1") for step in path)))


def _quoted(value: JSON) -> str:
    # A large value is not written out only to be cut off.
    if isinstance(value, dict | list) and len(value) > _LONGEST_QUOTE:
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value):,} values"
    text = repr(value)
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}…"
