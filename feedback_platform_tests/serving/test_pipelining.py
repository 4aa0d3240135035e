"""Requests that are sent in a row, without waiting for answers."""

from __future__ import annotations

import json
import re
import socket
from contextlib import suppress

import pytest

from feedback_platform.serving.connections import MAX_PIPELINED
from feedback_platform_tests.serving.running import (
    RunningServer,
    dumped,
    post_head,
)
from feedback_platform_tests.serving.segment import message


def everything(connection: socket.socket) -> bytes:
    received = b""
    with suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            received += piece
    return received


def test_requests_in_a_row_are_answered_in_order(fresh_server: RunningServer) -> None:
    requests = b""
    for number in range(10):
        body = json.dumps({"userId": "u", "event": "x", "n": number}).encode()
        requests += post_head(
            "/v1/track" if number % 2 else "/v1/page", content_length=str(len(body))
        )
        requests += body
    with fresh_server.connect() as connection:
        connection.sendall(requests)
        received = b""
        while received.count(b'{"success": true}') < 10:
            received += connection.recv(65536)
    assert sorted(line["message"]["n"] for line in fresh_server.lines()) == list(range(10))


def test_what_comes_before_a_mistake_is_answered(fresh_server: RunningServer) -> None:
    body = dumped(message())
    whole = post_head(content_length=str(len(body))) + body
    with fresh_server.connect() as connection:
        connection.sendall(whole * 2 + post_head(transfer_encoding="chunked") + b"zz\r\n")
        received = everything(connection)
    assert re.findall(rb"HTTP/1.1 (\d+)", received) == [b"200", b"200", b"400"]
    assert len(fresh_server.lines()) == 2


def test_more_requests_in_a_row_than_are_taken_lose_none_that_was(
    fresh_server: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    body = dumped(message())
    with fresh_server.connect() as connection:
        connection.sendall((post_head(content_length=str(len(body))) + body) * 50)
        received = everything(connection)
    assert received.count(b"HTTP/1.1 200 OK") == MAX_PIPELINED + 1
    assert received.count(b"HTTP/1.1 429 Too Many Requests") == 1
    assert len(fresh_server.lines()) == MAX_PIPELINED + 1
    assert caplog.records == []
