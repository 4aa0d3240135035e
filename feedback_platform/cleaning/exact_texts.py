"""What Polars hands over as text inexactly: nested objects with escapes, names, long integers."""

from __future__ import annotations

from typing import Final

import orjson
import polars as pl

from feedback_platform.events import columns as c
from feedback_platform.events.contract import FIELDS, FieldKind
from feedback_platform.events.exact_json import has_long_number, read_exactly, write_exactly

NAMES: Final = [name for name, field in FIELDS.items() if field.kind is FieldKind.STRING]
# NUL is no part of a name, and PostgreSQL-like stores refuse it.
NO_NAME: Final = "\x00"
# How an object or an array begins that Polars hands over as text.
_NESTED: Final = r'^(\{"|\{\}|\[)'


def exact_texts(texts: pl.DataFrame, rows: list[int], content: bytes) -> pl.DataFrame:
    """Return the texts as their lines have them.

    Args:
        texts: the fields of events, as Polars read them.
        rows: the line of each of them.
        content: the lines.

    Returns:
        The same, with properties that are JSON, and `NO_NAME` for a name that is none.
    """
    return _without_nested_names(_with_exact_properties(texts, rows, content), rows, content)


def rewritten_line(line: bytes) -> bytes:
    """Return a line whose integers Polars can read; the same one where it can already."""
    if not has_long_number(line):
        return line
    try:
        return write_exactly(read_exactly(line))
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return line


def _with_exact_properties(texts: pl.DataFrame, rows: list[int], content: bytes) -> pl.DataFrame:
    """Take the properties from a strict parser where their line holds an escape.

    Polars hands a nested object over as text, but writes its quotes, backslashes and control
    characters without their escapes: such a text is not JSON any more.
    """
    if b"\\" not in content:
        return texts
    lines = content.split(b"\n")
    escaped = [at for at, row in enumerate(rows) if b"\\" in lines[row]]
    if not escaped:
        return texts
    exact = [_exact_properties(lines[rows[at]]) for at in escaped]
    return texts.with_columns(texts[c.PROPERTIES].scatter(escaped, exact))


def _without_nested_names(texts: pl.DataFrame, rows: list[int], content: bytes) -> pl.DataFrame:
    """Tell the objects and arrays among the names from texts that only look like them.

    Polars hands both over as the same text. What is no name gets one that is refused.
    """
    suspects = {name: looks for name in NAMES if (looks := _looks_nested(texts[name])) is not None}
    if not suspects:
        return texts
    lines = content.split(b"\n")
    for name, looks in suspects.items():
        nested = [at for at in looks.arg_true() if not _is_text(lines[rows[at]], name)]
        texts = texts.with_columns(texts[name].scatter(nested, NO_NAME))
    return texts


def _looks_nested(names: pl.Series) -> pl.Series | None:
    """Return which names look like an object or an array; None where none does."""
    # Most fields are empty in most objects, and most objects are small.
    if names.null_count() == len(names):
        return None
    # That is no more than a guess, but a quick one.
    may_be = names.str.starts_with("{") | names.str.starts_with("[")
    if not may_be.any():
        return None
    looks = names.str.contains(_NESTED)
    return looks if looks.any() else None


def _is_text(line: bytes, name: str) -> bool:
    try:
        return isinstance(orjson.loads(line).get(name), str)
    except orjson.JSONDecodeError:
        return False


def _exact_properties(line: bytes) -> str | None:
    """Return the JSON text of a line's properties; one that is no object for what is not JSON."""
    try:
        properties = read_exactly(line).get(c.PROPERTIES)
        return None if properties is None else write_exactly(properties).decode()
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return ""
