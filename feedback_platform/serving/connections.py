"""The server's side of one connection: uvicorn's, with bounds on patience and memory.

uvicorn waits for ever for a request that has begun, and for a client that does not read. It reads
headers of any size, queues as many pipelined requests as were sent, takes trailers for headers,
loses the body of a request that offers another protocol, and closes idle connections at shutdown
without a look at what is on its way. Here each of that has an end, and every refusal says why, as
JSON.
"""

from __future__ import annotations

import asyncio
from array import array
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from fcntl import ioctl
from termios import TIOCOUTQ
from typing import Any, Final

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from feedback_platform.serving.patience import MIN_BYTES_PER_SECOND, REQUEST_SECONDS, Patience
from feedback_platform.serving.refusal import Refusal

# Of a request's head, and of what comes between two pieces of its body or behind the last.
MAX_HEAD_BYTES: Final = 64 * 1024
MAX_PIPELINED: Final = 32
# At shutdown, for a request that was sent when the sender could not know of it.
PARTING_SECONDS: Final = 0.5
MAX_CONNECTIONS: Final = 4096
# The extension of ASGI by which an answer without end learns that the server begins to stop: its
# `event` is set then.
PARTING: Final = "feedback_platform.parting"
# So many more hear why they are turned away; whatever comes on top is closed unheard, since each
# of them takes a file that the store may need.
MAX_TURNED_AWAY: Final = 64
_RETRY: Final = ((b"retry-after", b"2"),)
_OVERLOADED: Final = Refusal(503, "unavailable", "Too many connections; try again.", _RETRY)
_MALFORMED: Final = Refusal(400, "malformed_request", "What came is not a valid HTTP/1.1 request.")
_TOO_SLOW: Final = Refusal(408, "timeout", "The request did not come in time.")
_TOO_LARGE: Final = Refusal(431, "too_large", "The request's headers are too large.")
_TOO_MANY: Final = Refusal(
    429, "too_many_requests", f"Send {MAX_PIPELINED} requests at most before an answer.", _RETRY
)


@dataclass
class ConnectionTally:
    """The connections of this process: how many are open, and which were refused, by code."""

    open: int = 0
    refused: Counter[str] = field(default_factory=Counter)


TALLY: Final = ConnectionTally()


class Connection(HttpToolsProtocol):
    """One connection, closed with an answer when it takes more than its share."""

    request_seconds = REQUEST_SECONDS
    bytes_per_second: float = MIN_BYTES_PER_SECOND
    max_connections = MAX_CONNECTIONS
    max_turned_away = MAX_TURNED_AWAY

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._patience = Patience(self.request_seconds, self.bytes_per_second)
        self._in_head = False
        # What came since the segment in which a request, or the last piece of its body, began.
        self._bytes_without_content = 0
        self._declined_head: bytes | None = None
        self._is_refusing = False
        self._is_parting = False
        self._parting = asyncio.Event()
        self._watch: asyncio.TimerHandle | None = None
        self._watch_of_reading: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request; beyond the limit it is turned away."""
        super().connection_made(transport)
        TALLY.open += 1
        excess = len(self.connections) - self.max_connections
        if excess > 0:
            TALLY.refused[_OVERLOADED.code] += 1
        if excess > self.max_turned_away:
            transport.abort()
            return
        if excess > 0:
            self.app = _OVERLOADED
        self._patience.begin(self.loop.time())
        self._watch = self.loop.call_later(self.request_seconds, self._check_patience)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the watch."""
        TALLY.open -= 1
        if self._watch is not None:
            self._watch.cancel()
        self._end_watch_of_reading()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless it goes on without end and without content."""
        if self._is_refusing:
            return
        self._bytes_without_content += len(data)
        try:
            self._parse(data)
        except HttpParserError:
            self._part_with(_MALFORMED)
            return
        if self._patience.is_waiting and self._bytes_without_content > MAX_HEAD_BYTES:
            self._part_with(_TOO_LARGE)

    def _parse(self, data: bytes) -> None:
        """Parse what came, and a head again without the upgrade that it offers.

        A server may decline by ignoring the offer (RFC 9110, 7.8). The parser cannot: it takes
        the end of the head for the end of the request.
        """
        while not self.transport.is_closing():
            try:
                self.parser.feed_data(data)
            except HttpParserUpgrade as upgrade:
                if self._declined_head is None:
                    return
                data = self._declined_head + data[upgrade.args[0] :]
                self._declined_head = None
                # Not the same parser: where the connection ends with the request, it has ended.
                self.parser = HttpRequestParser(self)
            else:
                return

    def on_message_begin(self) -> None:
        """Begin to wait for the head of a request."""
        self._unset_keepalive_if_required()
        super().on_message_begin()
        self.scope["extensions"] = {PARTING: {"event": self._parting}}
        self._patience.begin(self.loop.time())
        self._in_head = True
        self._bytes_without_content = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; a trailer comes too late to say how its request is to be understood."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Hand the request over, and begin to wait for its body."""
        self._in_head = False
        is_tunnel = self.parser.get_method() == b"CONNECT"
        if self.parser.should_upgrade() and not is_tunnel:
            self._declined_head = self._head_without_upgrade()
            return
        super().on_headers_complete()
        self._patience.begin(self.loop.time())
        if self._is_parting or is_tunnel:
            self.cycle.keep_alive = False
        if len(self.pipeline) > MAX_PIPELINED:
            self._part_with(_TOO_MANY)
            raise HttpParserError(_TOO_MANY.text)

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body; one that nobody reads any more earns no further waiting."""
        if not self.cycle.response_complete:
            self._patience.note(self.loop.time(), len(body))
        self._bytes_without_content = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait no longer; a body that nobody read leaves an idle connection behind."""
        if self._declined_head is not None:
            return
        super().on_message_complete()
        self.cycle.more_body = False
        self._patience.end()
        if self.cycle.response_complete and not self.transport.is_closing():
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def on_response_complete(self) -> None:
        """Go on to the next request; the rest of a body that was refused has some seconds to come.

        Closed at once, the connection would be reset under a sender who is still sending, and he
        might never read why he was refused.
        """
        super().on_response_complete()
        if self.cycle.response_complete and self.cycle.more_body:
            self._patience.begin(self.loop.time())
        self._see_off()

    def pause_writing(self) -> None:
        """Begin to see to it that a client takes what it has asked for."""
        super().pause_writing()
        self._check_reading_later()

    def resume_writing(self) -> None:
        """The client has taken most of it."""
        self._end_watch_of_reading()
        super().resume_writing()
        self._see_off()

    def timeout_keep_alive_handler(self) -> None:
        """Close after a long idleness."""
        super().timeout_keep_alive_handler()
        self._see_off()

    def shutdown(self) -> None:
        """Answer what was sent already, then close."""
        self._is_parting = True
        self._parting.set()
        if self._is_idle():
            self.loop.call_later(PARTING_SECONDS, self._close_if_idle)
        else:
            self.cycle.keep_alive = False

    def _head_without_upgrade(self) -> bytes:
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        fields = [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        return b"\r\n".join([b"%s %s HTTP/%s" % (method, self.url, version), *fields, b"", b""])

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _close_if_idle(self) -> None:
        if self._is_idle() and not self.transport.is_closing():
            self.transport.close()
            self._see_off()

    def _check_patience(self) -> None:
        now = self.loop.time()
        if self._patience.is_waiting and self.flow.read_paused:
            # It is the sender who waits, behind an earlier request or until his body is read.
            self._patience.begin(now)
        rest = self._patience.rest(now)
        if rest <= 0:
            self._part_with(_TOO_SLOW)
            return
        self._watch = self.loop.call_later(rest, self._check_patience)

    def _see_off(self) -> None:
        """Wait for who is to take the last of what was written, but no longer than for others.

        It may be too little for `pause_writing`, and a transport that closes waits for ever.
        """
        has_rest = self.transport.is_closing() and self.transport.get_write_buffer_size() > 0
        if has_rest and self._watch_of_reading is None:
            self._check_reading_later()

    def _check_reading_later(self) -> None:
        self._watch_of_reading = self.loop.call_later(
            self.request_seconds, self._check_reading, self._unread_bytes()
        )

    def _check_reading(self, before: int) -> None:
        """Cut the connection of a client that reads slower than it would have to send."""
        if before - self._unread_bytes() < self.request_seconds * self.bytes_per_second:
            TALLY.refused["read_too_slowly"] += 1
            self.transport.abort()
        else:
            self._check_reading_later()

    def _unread_bytes(self) -> int:
        """Return how much of what was written the client has not taken yet.

        Most of it is the system's, which takes nothing more for megabytes at a time.
        """
        unread = array("i", [0])
        # Where a system does not tell, what is ours has to do.
        with suppress(OSError):
            ioctl(self.transport.get_extra_info("socket").fileno(), TIOCOUTQ, unread)
        return self.transport.get_write_buffer_size() + unread[0]

    def _end_watch_of_reading(self) -> None:
        if self._watch_of_reading is not None:
            self._watch_of_reading.cancel()
            self._watch_of_reading = None

    def _part_with(self, refusal: Refusal) -> None:
        """Refuse the request that is coming in and close, once earlier ones have their answers."""
        if self._is_refusing or self.transport.is_closing():
            return
        self._is_refusing = True
        TALLY.refused[refusal.code] += 1
        cycle = self.cycle
        has_begun = cycle is not None and cycle.more_body
        if has_begun and self.pipeline:
            # Of those that wait for their turn, the newest is the first here.
            self.pipeline[0] = (cycle, refusal)  # type: ignore[assignment] # ASGI, in other words
            return
        if has_begun:
            is_answered = cycle.response_started
            # Whoever still reads the request hears that nobody waits for its answer.
            cycle.disconnected = True
            cycle.message_event.set()
        elif self._is_idle():
            is_answered = False
        else:
            cycle.keep_alive = False
            return
        if not is_answered:
            self.transport.write(refusal.as_bytes())
        self.transport.close()
        self._see_off()
