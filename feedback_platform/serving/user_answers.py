"""What the endpoints of users answer: JSON that no cache keeps, readable from every origin."""

from __future__ import annotations

from typing import Any, Final

from starlette.types import Send

from feedback_platform.ingestion.collector.answers import CROSS_ORIGIN, json_answer
from feedback_platform.ingestion.collector.refusals import RequestRefusedError
from feedback_platform.serving.access import AccessDeniedError

Headers = tuple[tuple[bytes, bytes], ...]

# It is somebody's own.
NO_STORE: Final = (b"cache-control", b"no-store")
_ALLOWED_HEADERS: Final = (
    b"access-control-allow-headers",
    b"authorization, content-type, x-api-key, x-request-id",
)


async def send_json(send: Send, status: int, content: Any, headers: Headers = ()) -> None:
    """Answer with a JSON document."""
    start, body = json_answer(status, content, (NO_STORE, *headers))
    await send(start)
    await send(body)


async def send_refusal(send: Send, refusal: RequestRefusedError | AccessDeniedError) -> None:
    """Answer with what went wrong, as `{"code", "message"}`."""
    if isinstance(refusal, AccessDeniedError):
        content = refusal.content
    else:
        content = {"code": refusal.code, "message": str(refusal)}
    await send_json(send, refusal.status, content, refusal.headers)


async def send_preflight(send: Send, methods: str) -> None:
    """Tell a browser what its page may send.

    Args:
        send: of the request.
        methods: those of the path, separated by commas.
    """
    headers = [
        *CROSS_ORIGIN,
        _ALLOWED_HEADERS,
        (b"access-control-allow-methods", methods.encode()),
        (b"access-control-max-age", b"86400"),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
