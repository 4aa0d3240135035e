"""Who asks for much and reads nothing is cut off; who reads slowly gets all of it."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from feedback_platform.serving.connections import TALLY, Connection
from feedback_platform_tests.serving.running import TIMEOUT, RunningServer
from feedback_platform_tests.waiting import until

# More than a megabyte each, so that no buffer of the system holds what they answer.
REQUEST = b"GET /docs/static/swagger-ui-bundle.js HTTP/1.1\r\nhost: x\r\n\r\n"
REQUESTS = 16


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every server of the test waits for a second only."""
    monkeypatch.setattr(Connection, "request_seconds", 1.0)


@contextmanager
def reader(server: RunningServer, requests: bytes = REQUEST * REQUESTS) -> Iterator[socket.socket]:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        connection.settimeout(TIMEOUT)
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(requests)
        yield connection


def test_who_reads_nothing_is_cut_off(fresh_server: RunningServer) -> None:
    before = TALLY.refused["read_too_slowly"]
    with reader(fresh_server):
        until(lambda: TALLY.refused["read_too_slowly"] == before + 1)
        until(lambda: TALLY.open == 0)


def test_who_reads_slowly_gets_everything(fresh_server: RunningServer) -> None:
    answer = fresh_server.send(REQUEST, method="GET")
    size = REQUESTS * len(answer.body)
    with reader(fresh_server) as connection:
        received = 0
        deadline = time.monotonic() + 2.5
        while received < size:
            data = connection.recv(65536)
            assert data, "the connection was cut"
            received += len(data)
            if time.monotonic() < deadline:
                time.sleep(0.05)
    assert received >= size


@pytest.fixture
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system takes so little of an answer that the server keeps a part of it."""
    made = Connection.connection_made

    def connection_made(self: Connection, transport: asyncio.Transport) -> None:
        connection: socket.socket = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        made(self, transport)

    monkeypatch.setattr(Connection, "connection_made", connection_made)


@pytest.mark.usefixtures("_narrow")
@pytest.mark.parametrize("connection_field", [b"close", b"keep-alive"])
def test_who_leaves_the_end_of_the_last_answer_unread_is_cut_off(
    connection_field: bytes, fresh_server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Connection.__init__

    def impatient(self: Connection, *args: Any, **kwargs: Any) -> None:
        made(self, *args, **kwargs)
        self.timeout_keep_alive = 1

    monkeypatch.setattr(Connection, "__init__", impatient)
    before = TALLY.refused["read_too_slowly"]
    # Less than what makes the server pause.
    request = (
        b"GET /openapi.json HTTP/1.1\r\nhost: x\r\nconnection: " + connection_field + b"\r\n\r\n"
    )
    with reader(fresh_server, request):
        until(lambda: TALLY.refused["read_too_slowly"] == before + 1)
        until(lambda: TALLY.open == 0)
