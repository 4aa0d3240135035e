"""JSON whose integers stay what they are, however long; the fast parser rounds them to doubles."""

from __future__ import annotations

import json
from typing import Any, Final

import orjson

# The shortest integers beyond 64 bits. One digit less is an id of many a database, and fits.
_LONG: Final = b"0" * 20
_LONG_NEGATIVE: Final = b"-" + b"0" * 19
_DIGITS: Final = bytes.maketrans(b"123456789", b"0" * 9)
# What reads the events next has integers of 128 bits at most.
_BEYOND: Final = 1 << 127
# How deep the fast writer goes. The other one has to stop there as well: else it would depend on
# the place of a long integer what can be written.
_MAX_DEPTH: Final = 254


def has_long_number(text: bytes) -> bool:
    """Return whether a text may hold an integer that does not fit into 64 bits."""
    shape = text.translate(_DIGITS)
    return _LONG in shape or _LONG_NEGATIVE in shape


def read_exactly(text: bytes) -> Any:
    """Return the value of a JSON document.

    Raises:
        orjson.JSONDecodeError: it is none, or holds a number beyond all doubles.
    """
    value = orjson.loads(text)
    if not has_long_number(text):
        return value
    try:
        return json.loads(text)
    except RecursionError:
        # Only the fast parser goes so deep. Nobody can write such a document again either.
        return value


def write_exactly(value: Any) -> bytes:
    """Return a value as JSON; integers beyond 128 bits become text.

    Raises:
        orjson.JSONEncodeError: it is nested deeper than 254 levels.
    """
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError as error:
        if "64-bit" not in str(error):
            raise
    return json.dumps(_within(value), ensure_ascii=False, separators=(",", ":")).encode()


def _within(value: Any, depth: int = 1) -> Any:
    """Return a value whose integers all fit into 128 bits, longer ones as text."""
    if isinstance(value, (dict, list)) and depth > _MAX_DEPTH:
        raise orjson.JSONEncodeError("nested too deeply")
    if isinstance(value, dict):
        return {name: _within(part, depth + 1) for name, part in value.items()}
    if isinstance(value, list):
        return [_within(part, depth + 1) for part in value]
    is_beyond = type(value) is int and not -_BEYOND <= value < _BEYOND
    return str(value) if is_beyond else value
