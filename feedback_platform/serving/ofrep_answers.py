"""What OFREP answers: always JSON, readable from every origin, in the shapes that clients check."""

from __future__ import annotations

from typing import Any, Final

import orjson
from starlette.types import Send

from feedback_platform.adjustment.flags.evaluation import Evaluation

Fields = tuple[tuple[bytes, bytes], ...]

CROSS_ORIGIN: Final[Fields] = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"etag, retry-after, x-request-id"),
)
_JSON: Final = (b"content-type", b"application/json")
_ALLOWED_HEADERS: Final = (
    b"authorization",
    b"content-type",
    b"if-none-match",
    b"x-api-key",
    b"x-request-id",
    b"last-event-id",
    b"cache-control",
)
_PREFLIGHT: Final[Fields] = (
    *CROSS_ORIGIN,
    (
        b"access-control-allow-headers",
        b", ".join(_ALLOWED_HEADERS),
    ),
    (b"access-control-max-age", b"86400"),
)


class OfrepRefusal(Exception):  # noqa: N818 - an answer, not a mistake of the program
    """A request that is answered with an error.

    Attributes:
        status: of HTTP.
        error_code: OpenFeature's, or None where the protocol has none.
        key: of the flag that was asked for, or None.
        headers: further ones.
    """

    def __init__(
        self,
        status: int,
        text: str,
        *,
        error_code: str | None = None,
        key: str | None = None,
        headers: Fields = (),
    ) -> None:
        super().__init__(text)
        self.status = status
        self.error_code = error_code
        self.key = key
        self.headers = headers

    @property
    def content(self) -> dict[str, str]:
        """The body; clients fail without the details."""
        content = {} if self.key is None else {"key": self.key}
        if self.error_code is not None:
            content["errorCode"] = self.error_code
        return content | {"errorDetails": str(self)}


def rendered(evaluation: Evaluation) -> bytes:
    """Return an evaluation as JSON; without a value it is the caller's default that holds."""
    content: dict[str, Any] = {"key": evaluation.key}
    if evaluation.value is not None:
        content["value"] = evaluation.value
    # Python's client fails without a variant, even where there is none.
    content |= {"reason": str(evaluation.reason), "variant": evaluation.variant}
    return orjson.dumps(content | {"metadata": dict(evaluation.metadata)})


async def send_body(send: Send, body: bytes, headers: Fields = (), *, status: int = 200) -> None:
    """Answer with JSON that is bytes already.

    Each header costs every request its checks. So only where there are more of them is said which a
    page may read.
    """
    length = (b"content-length", b"%d" % len(body))
    fields = [_JSON, *(CROSS_ORIGIN if headers else CROSS_ORIGIN[:1]), *headers, length]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})


async def send_refusal(send: Send, refusal: OfrepRefusal) -> None:
    """Answer with what went wrong."""
    body = orjson.dumps(refusal.content)
    await send_body(send, body, refusal.headers, status=refusal.status)


async def send_unchanged(send: Send, etag: bytes) -> None:
    """Answer that the client has the newest evaluation (304)."""
    headers = [*CROSS_ORIGIN, (b"etag", etag)]
    await send({"type": "http.response.start", "status": 304, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def send_preflight(send: Send, methods: bytes) -> None:
    """Tell a browser what its page may send."""
    headers = [*_PREFLIGHT, (b"access-control-allow-methods", methods)]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
