"""Reading what OFREP's clients send: a small JSON object with a context."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson
from starlette.types import Receive

from feedback_platform.serving.ofrep_answers import OfrepRefusal

MAX_BODY_BYTES: Final = 64 * 1024
PARSE_ERROR: Final = "PARSE_ERROR"
INVALID_CONTEXT: Final = "INVALID_CONTEXT"


class ClientGoneError(Exception):
    """The client closed the connection before its request was complete; nobody waits."""


async def sent_context(
    headers: Mapping[bytes, bytes], receive: Receive, key: str | None
) -> Mapping[str, Any]:
    """Return the context of a request, empty where it has none.

    Args:
        headers: of the request, by lower-case name.
        receive: of the request.
        key: of the flag that is asked for, for the refusal.

    Raises:
        OfrepRefusal: the body is too large, no JSON object, or its context is none.
        ClientGoneError: nobody waits any more.
    """
    body = await _body(headers, receive, key)
    try:
        content = orjson.loads(body) if body else {}
    except orjson.JSONDecodeError as error:
        text = f"The body is not JSON: {error}."
        raise OfrepRefusal(400, text, error_code=PARSE_ERROR, key=key) from error
    if not isinstance(content, dict):
        text = 'The body is not a JSON object such as {"context": {"targetingKey": "user-1"}}.'
        raise OfrepRefusal(400, text, error_code=PARSE_ERROR, key=key)
    context = content.get("context")
    if context is None:
        return {}
    if not isinstance(context, dict):
        text = "The context is not an object."
        raise OfrepRefusal(400, text, error_code=INVALID_CONTEXT, key=key)
    return context


async def _body(headers: Mapping[bytes, bytes], receive: Receive, key: str | None) -> bytes:
    """Return the body; one that is too large is refused before it is read or parsed."""
    if headers.get(b"content-encoding", b"identity").lower() not in {b"", b"identity"}:
        text = "The body must not be compressed."
        raise OfrepRefusal(400, text, error_code=PARSE_ERROR, key=key)
    declared = headers.get(b"content-length", b"0")
    _check_size(int(declared) if declared.isdigit() else 0, key)
    message = await receive()
    body: bytes = message.get("body", b"")
    _check_size(len(body), key)
    if not message.get("more_body") and message["type"] == "http.request":
        return body
    pieces = bytearray(body)
    while message["type"] == "http.request" and message.get("more_body"):
        message = await receive()
        pieces += message.get("body", b"")
        _check_size(len(pieces), key)
    if message["type"] != "http.request":
        raise ClientGoneError
    return bytes(pieces)


def _check_size(size: int, key: str | None) -> None:
    if size > MAX_BODY_BYTES:
        text = f"The body is larger than {MAX_BODY_BYTES:,} bytes."
        raise OfrepRefusal(413, text, error_code=PARSE_ERROR, key=key)
