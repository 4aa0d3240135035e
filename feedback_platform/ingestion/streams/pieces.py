"""What a message holds: events, or bytes that could not be decoded."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import orjson


class Piece(NamedTuple):
    """An event of a message, or what could not be decoded of it.

    Attributes:
        content: JSON without a line break; where there is a problem, the bytes as they came.
        problem: why it could not be decoded, in a few words, or None.
    """

    content: bytes
    problem: str | None = None


# Several pieces where the sender put several events into one message. What may pass by itself is
# raised as a TransientError; the message is decoded again later.
Decoder = Callable[[bytes | None], list[Piece]]


def json_piece(content: bytes) -> Piece:
    """Return the JSON object that bytes are, as they are, but on one line."""
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError:
        return Piece(content, "not JSON")
    if not isinstance(value, dict):
        return Piece(content, "not a JSON object")
    if b"\n" in content or b"\r" in content:
        # Valid JSON has line breaks only between its tokens.
        content = content.replace(b"\n", b" ").replace(b"\r", b" ")
    return Piece(content)
