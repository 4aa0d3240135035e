"""Load at a steady rate: requests are due at fixed times, whatever became of earlier ones.

A latency counts from when its request was due: a server that falls behind cannot hide that. Each
connection sends a request and waits for its answer, so a due request may wait for a free
connection; that counts, too.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

WARM_UP_SECONDS = 1.0
_HOST = "127.0.0.1"
PLACES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}


class Exchange(NamedTuple):
    """What is sent on one connection, whole as it goes over the wire.

    Attributes:
        request: whose latency counts.
        before: what has to be answered before; it is sent so many seconds before the request is
            due. If its answer comes later than that, the request is late.
    """

    request: bytes
    before: bytes | None = None


class _Client(asyncio.Protocol):
    """One connection: it takes the oldest exchange that is due, or waits for one."""

    def __init__(self, load: _Load) -> None:
        self._load = load
        self._received = b""
        self._due_at = 0.0
        self._request: bytes | None = None
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self._load.free(self)

    def data_received(self, data: bytes) -> None:
        self._received += data
        # Every answer is a JSON object whose length stands in its head.
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        is_success = self._received.startswith(b"HTTP/1.1 200")
        self._received = b""
        if self._request is not None:
            self._load.note_before(is_success=is_success)
            self._send_at(self._request)
            self._request = None
            return
        self._load.note(time.perf_counter(), self._due_at, is_success=is_success)
        self._load.free(self)

    def send(self, exchange: Exchange, due_at: float) -> None:
        self._due_at = due_at
        if exchange.before is None:
            self.transport.write(exchange.request)
        else:
            self._request = exchange.request
            self.transport.write(exchange.before)

    def _send_at(self, request: bytes) -> None:
        early = self._due_at - time.perf_counter()
        if early > 0:
            asyncio.get_running_loop().call_later(early, self.transport.write, request)
        else:
            self._load.note_late(self._due_at)
            self.transport.write(request)


class _Load:
    """Exchanges that come due at a steady rate, and the connections that are free for them."""

    def __init__(self, exchanges: Sequence[Exchange], seconds: float, ahead: float) -> None:
        self._exchanges = exchanges
        self._ahead = ahead
        self._sent = 0
        self._free: deque[_Client] = deque()
        self._due: deque[float] = deque()
        self.begins_at = time.perf_counter() + WARM_UP_SECONDS
        self.ends_at = self.begins_at + seconds
        self.latencies: list[float] = []
        self.answered = 0
        self.late = 0
        self.failures = 0

    def due(self, at: float) -> None:
        self._due.append(at + self._ahead)
        if self._free:
            self._send(self._free.popleft())

    def free(self, client: _Client) -> None:
        if self._due:
            self._send(client)
        else:
            self._free.append(client)

    def note_before(self, *, is_success: bool) -> None:
        self.failures += not is_success

    def note_late(self, due_at: float) -> None:
        self.late += self.begins_at <= due_at < self.ends_at

    def note(self, now: float, due_at: float, *, is_success: bool) -> None:
        self.answered += 1
        self.failures += not is_success
        if self.begins_at <= due_at < self.ends_at:
            self.latencies.append(now - due_at)

    def _send(self, client: _Client) -> None:
        self._sent += 1
        client.send(self._exchanges[self._sent % len(self._exchanges)], self._due.popleft())


async def measure(
    port: int,
    exchanges: Sequence[Exchange],
    *,
    rate: float,
    connections: int,
    seconds: float,
    ahead: float = 0.0,
) -> dict[str, float]:
    """Return the latencies of exchanges that are repeated at a rate, by name, and what failed.

    `late` is the share of requests that could not be sent when they were due, since what was sent
    before had not been answered.

    Args:
        port: of a server on this machine.
        exchanges: to repeat.
        rate: exchanges a second.
        connections: how many are open.
        seconds: how long it is measured, after a second that does not count.
        ahead: how long before each request is due its exchange begins.
    """
    loop = asyncio.get_running_loop()
    load = _Load(exchanges, seconds, ahead)
    for _ in range(connections):
        await loop.create_connection(lambda: _Client(load), _HOST, port)
    due_at = time.perf_counter()
    while due_at + ahead < load.ends_at:
        now = time.perf_counter()
        while due_at <= now:
            load.due(due_at)
            due_at += 1 / rate
        await asyncio.sleep(max(0.0, min(due_at - now, 0.001)))
    await asyncio.sleep(1 + ahead)
    latencies = sorted(load.latencies)
    return {
        "requests_per_second": len(latencies) / seconds,
        "answered": load.answered,
        "late": load.late / max(len(latencies), 1),
        "failures": load.failures,
        **{name: latencies[int(len(latencies) * place)] for name, place in PLACES.items()},
    }
