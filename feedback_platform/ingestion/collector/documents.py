"""JSON as it came in: read strictly, and taken apart where one part of it cannot be read."""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

import orjson

from feedback_platform.events.exact_json import read_exactly, write_exactly
from feedback_platform.ingestion.collector.limits import MAX_BATCH_EVENTS, MAX_DEPTH
from feedback_platform.ingestion.collector.refusals import Reason, RequestRefusedError

# A string, even one that never ends, is one token: no text takes more than one pass.
_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[\]{},]', re.DOTALL)
_PAIRS: Final = {b"{": b"}", b"[": b"]"}


def decoded(body: bytes) -> Any:
    """Return the value of a JSON document.

    Raises:
        RequestRefusedError: it is not JSON, or not such that every program reads it alike (NaN,
            numbers beyond all bounds, halves of surrogate pairs, a thousand levels).
    """
    try:
        return read_exactly(body)
    except orjson.JSONDecodeError as error:
        raise not_json(error) from error


def not_json(error: orjson.JSONDecodeError) -> RequestRefusedError:
    """Return the refusal of a body that cannot be read."""
    text = f"The body is not JSON in UTF-8: {error.msg} (at character {error.pos})."
    return RequestRefusedError(400, Reason.MALFORMED_JSON, text)


def written(message: Any) -> bytes:
    """Return a message as JSON on one line.

    Raises:
        TypeError: it is nested deeper than `MAX_DEPTH` levels.
    """
    # The writer stops at 254 levels; so whoever wraps the message later has these four.
    return write_exactly([[[[message]]]])[4:-4]


def on_one_line(text: bytes) -> bytes:
    """Return JSON as it is, but on one line: line breaks stand only between its tokens."""
    return text.replace(b"\n", b" ").replace(b"\r", b" ")


def is_too_deep(message: Any, text: bytes) -> bool:
    """Return whether a message is nested deeper than `MAX_DEPTH` levels.

    Args:
        message: as decoded.
        text: the same as JSON.
    """
    if text.count(b"{") + text.count(b"[") <= MAX_DEPTH:
        return False
    try:
        written(message)
    except TypeError:
        return True
    return False


def digest_of(content: bytes) -> str:
    """Return an id for bytes: the same whenever they come again, 16 hexadecimal digits."""
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def members(text: bytes) -> dict[str, bytes]:
    """Return the members of an object by name, each as the JSON that it was.

    The brackets decide what belongs to whom, so a member that cannot be read stands alone.

    Raises:
        ValueError: the text is no object.
        RequestRefusedError: a member stands twice, or there are more than `MAX_BATCH_EVENTS`.
    """
    found: dict[str, bytes] = {}
    parts = _parts(text, b"{")
    if len(parts) > MAX_BATCH_EVENTS:
        refusal = f"The body has more than {MAX_BATCH_EVENTS:,} members."
        raise RequestRefusedError(400, Reason.TOO_LARGE, refusal)
    for part in parts:
        token = _TOKEN.match(part.lstrip())
        name = token[0] if token else b""
        rest = part.lstrip()[len(name) :].lstrip()
        if not rest.startswith(b":"):
            raise ValueError("a member has no name")
        member = str(orjson.loads(name))
        if member in found:
            # Who believes only the last loses the events of the first.
            refusal = "A member of the body, such as batch, stands twice in it."
            raise RequestRefusedError(400, Reason.MALFORMED_JSON, refusal)
        found[member] = rest[1:].strip()
    return found


def elements(text: bytes) -> list[bytes]:
    """Return the elements of an array, each as the JSON that it was.

    Of more than `MAX_BATCH_EVENTS` only the first are returned, and one more.

    Raises:
        ValueError: the text is no array.
    """
    return [part.strip() for part in _parts(text, b"[")]


def _parts(text: bytes, opening: bytes) -> list[bytes]:
    """Return what stands between the commas of the outermost object or array.

    Nobody takes more than `MAX_BATCH_EVENTS`: behind one more, nothing is looked at.
    """
    text = text.strip()
    if not (text.startswith(opening) and text.endswith(_PAIRS[opening])):
        raise ValueError("neither an object nor an array of the kind that is looked for")
    found: list[bytes] = []
    depth, start = 0, 1
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign in {b"{", b"["}:
            depth += 1
        elif sign in {b"}", b"]"}:
            depth -= 1
        elif sign == b"," and depth == 1:
            found.append(text[start : token.start()])
            start = token.end()
            if len(found) > MAX_BATCH_EVENTS:
                return found
        if depth == 0:
            break
    if depth != 0 or token.end() != len(text):
        raise ValueError("the brackets do not match")
    last = text[start:-1]
    if found or last.strip():
        found.append(last)
    return found
