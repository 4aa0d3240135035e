"""What the collector answers: JSON, readable from every origin."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

import orjson
from starlette.types import Scope, Send

from feedback_platform.ingestion.collector.refusals import RequestRefusedError

Headers = tuple[tuple[bytes, bytes], ...]

CROSS_ORIGIN: Final[Headers] = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"retry-after, x-ratelimit-reset, x-request-id"),
)
_JSON: Final = (b"content-type", b"application/json")
_ALLOWED_HEADERS: Final = (
    "authorization, content-type, content-encoding, x-retry-count, "
    "ce-id, ce-source, ce-specversion, ce-type, ce-time, ce-subject, ce-dataschema"
)
# Extensions of CloudEvents have names of their own; a list cannot know them.
_EXTENSION: Final = re.compile(r"ce-[a-z0-9]{1,20}")


def json_answer(status: int, content: Any, headers: Headers = ()) -> tuple[Any, Any]:
    """Return the two ASGI messages of an answer."""
    return _answer(status, orjson.dumps(content), (_JSON, *CROSS_ORIGIN, *headers))


def _answer(status: int, body: bytes, headers: Headers) -> tuple[Any, Any]:
    length = (b"content-length", b"%d" % len(body))
    start = {"type": "http.response.start", "status": status, "headers": [*headers, length]}
    return start, {"type": "http.response.body", "body": body}


# Each header costs every request its checks, so success has only those that it needs.
_ANY_ORIGIN: Final = CROSS_ORIGIN[:1]
_SUCCESS: Final = _answer(200, b'{"success": true}', (_JSON, *_ANY_ORIGIN))
_NO_CONTENT: Final = (
    {"type": "http.response.start", "status": 204, "headers": list(_ANY_ORIGIN)},
    {"type": "http.response.body", "body": b""},
)


async def send_success(send: Send) -> None:
    """Answer as Segment does: the libraries take nothing but 200 for success."""
    start, body = _SUCCESS
    await send(start)
    await send(body)


async def send_no_content(send: Send) -> None:
    """Answer 204, as CloudEvents asks for."""
    start, body = _NO_CONTENT
    await send(start)
    await send(body)


async def send_refusal(send: Send, refusal: RequestRefusedError) -> None:
    """Answer with what went wrong, as `{"code", "message"}`."""
    content = {"code": refusal.code, "message": str(refusal)}
    await send_json(send, refusal.status, content, refusal.headers)


async def send_json(send: Send, status: int, content: Any, headers: Headers = ()) -> None:
    """Answer with a JSON document."""
    start, body = json_answer(status, content, headers)
    await send(start)
    await send(body)


async def send_preflight(scope: Scope, send: Send, methods: Iterable[str]) -> None:
    """Tell a browser what its page may send."""
    asked = dict(scope["headers"]).get(b"access-control-request-headers", b"").decode("latin-1")
    names = [name.strip().lower() for name in asked.split(",")]
    extensions = [name for name in names if _EXTENSION.fullmatch(name)]
    allowed = ", ".join([_ALLOWED_HEADERS, *extensions])
    headers = (
        *CROSS_ORIGIN,
        (b"access-control-allow-methods", ", ".join(methods).encode()),
        (b"access-control-allow-headers", allowed.encode()),
        (b"access-control-max-age", b"86400"),
        (b"vary", b"access-control-request-headers"),
    )
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def method_not_allowed(allowed: Iterable[str]) -> RequestRefusedError:
    """Return the refusal of a method that a path does not know."""
    names = ", ".join(allowed)
    text = f"This path takes {names}."
    return RequestRefusedError(405, "method_not_allowed", text, ((b"allow", names.encode()),))
