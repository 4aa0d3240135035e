"""What a connection answers by itself: why it takes no more, as JSON, and that it closes."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

import orjson
from starlette.types import Receive, Scope, Send

from feedback_platform.serving.request_ids import HEADER, IDS


@dataclass(frozen=True)
class Refusal:
    """An answer after which the connection is closed.

    Attributes:
        status: of HTTP.
        code: the kind of mistake, for programs.
        text: what happened, for people.
        fields: further headers.
    """

    status: int
    code: str
    text: str
    fields: tuple[tuple[bytes, bytes], ...] = ()

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer in the place of the application."""
        body = self._body()
        start = {"type": "http.response.start", "status": self.status, "headers": self._head(body)}
        await send(start)
        await send({"type": "http.response.body", "body": body})

    def as_bytes(self) -> bytes:
        """Return the whole answer, for a request that came to no application."""
        body = self._body()
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}".encode()]
        lines += [name + b": " + value for name, value in self._head(body)]
        return b"\r\n".join([*lines, b"", body])

    def _body(self) -> bytes:
        return orjson.dumps({"code": self.code, "message": self.text})

    def _head(self, body: bytes) -> list[tuple[bytes, bytes]]:
        return [
            (b"content-type", b"application/json"),
            (b"access-control-allow-origin", b"*"),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
            (HEADER, IDS.made()),
            *self.fields,
        ]
