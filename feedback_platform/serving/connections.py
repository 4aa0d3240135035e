"""The server's side of one connection: uvicorn's, with bounds on patience and memory.

uvicorn waits for ever for a request that has begun, reads headers of any size, queues as many
pipelined requests as were sent, and closes idle connections at shutdown without a look at what
is on its way. Here each of that has an end, and every refusal says why, as JSON.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, Final

import orjson
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

# A request has to be complete this many seconds after it (or the connection) began.
REQUEST_SECONDS: Final = 15.0
MAX_HEAD_BYTES: Final = 64 * 1024
MAX_PIPELINED: Final = 32
# At shutdown, for a request that was sent when the sender could not know of it.
PARTING_SECONDS: Final = 0.5
MAX_CONNECTIONS: Final = 4096
_RETRY_AFTER: Final = b"2"


class Connection(HttpToolsProtocol):
    """One connection, closed with an answer when it takes more than its share."""

    request_seconds = REQUEST_SECONDS
    max_connections = MAX_CONNECTIONS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._awaited_since: float | None = None
        self._in_head = False
        self._head_bytes = 0
        self._is_parting = False
        self._watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request; beyond the limit it is turned away."""
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            self.app = _overloaded
        self._awaited_since = self.loop.time()
        self._watch = self.loop.call_later(self.request_seconds, self._check_patience)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the watch."""
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless the head of a request grows without end."""
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._part_with(431, "too_large", "The request's headers are too large.")
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Begin to wait for the whole of a request."""
        super().on_message_begin()
        self._awaited_since = self.loop.time()
        self._in_head = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """Hand the request over."""
        self._in_head = False
        super().on_headers_complete()
        if self._is_parting:
            self.cycle.keep_alive = False
        if len(self.pipeline) > MAX_PIPELINED:
            self.transport.close()

    def on_message_complete(self) -> None:
        """Wait no longer; a body that nobody read leaves an idle connection behind."""
        super().on_message_complete()
        self._awaited_since = None
        if self.cycle.response_complete and not self.transport.is_closing():
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def shutdown(self) -> None:
        """Answer what was sent already, then close."""
        self._is_parting = True
        if self._is_idle():
            self.loop.call_later(PARTING_SECONDS, self._close_if_idle)
        else:
            self.cycle.keep_alive = False

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that are not HTTP."""
        self._part_with(400, "malformed_request", msg)

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _close_if_idle(self) -> None:
        if self._is_idle() and not self.transport.is_closing():
            self.transport.close()

    def _check_patience(self) -> None:
        since, now = self._awaited_since, self.loop.time()
        if since is not None and now - since >= self.request_seconds:
            self._part_with(408, "timeout", "The request was not complete in time.")
            return
        rest = self.request_seconds - (now - since) if since is not None else self.request_seconds
        self._watch = self.loop.call_later(rest, self._check_patience)

    def _part_with(self, status: int, code: str, text: str) -> None:
        """Refuse the request that is coming in and close, once earlier ones have their answers."""
        cycle = self.cycle
        if self.transport.is_closing():
            return
        if cycle is not None and not cycle.response_complete:
            if not cycle.more_body:
                cycle.keep_alive = False
                return
            # Whoever still reads the request hears that nobody waits for its answer.
            cycle.disconnected = True
            cycle.message_event.set()
        if not self.pipeline and (cycle is None or not cycle.more_body or not _is_answered(cycle)):
            body = orjson.dumps({"code": code, "message": text})
            head = (
                f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
                "content-type: application/json\r\naccess-control-allow-origin: *\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self.transport.close()


def _is_answered(cycle: RequestResponseCycle) -> bool:
    return cycle.response_started or cycle.response_complete


async def _overloaded(_scope: Scope, _receive: Receive, send: Send) -> None:
    content = {"code": "unavailable", "message": "Too many connections; try again."}
    body = orjson.dumps(content)
    headers = [
        (b"content-type", b"application/json"),
        (b"access-control-allow-origin", b"*"),
        (b"content-length", b"%d" % len(body)),
        (b"retry-after", _RETRY_AFTER),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})
