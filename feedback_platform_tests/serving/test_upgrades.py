"""Offers of another protocol, as Java's client makes one with its first request, are ignored."""

from __future__ import annotations

import time

import pytest

from feedback_platform_tests.serving.running import (
    RunningServer,
    dumped,
    post_head,
    read_answer,
)
from feedback_platform_tests.serving.segment import assert_refused, message

OFFER = {
    "connection": "Upgrade, HTTP2-Settings",
    "upgrade": "h2c",
    "http2_settings": "AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
}
BODY = dumped(message())
LENGTH = str(len(BODY))
PLAIN = post_head(content_length=LENGTH) + BODY
OFFERING = post_head(content_length=LENGTH, **OFFER) + BODY
CHUNKED = post_head(transfer_encoding="chunked", **OFFER) + b"%x\r\n%s\r\n0\r\n\r\n" % (
    len(BODY),
    BODY,
)


@pytest.mark.parametrize("request_bytes", [OFFERING, CHUNKED])
@pytest.mark.parametrize("cut", [None, 30, -len(BODY) - 2, -len(BODY), -5])
def test_the_request_is_taken_wherever_its_segments_end(
    fresh_server: RunningServer, request_bytes: bytes, cut: int | None
) -> None:
    with fresh_server.connect() as connection:
        if cut is not None:
            connection.sendall(request_bytes[:cut])
            time.sleep(0.05)
        connection.sendall(request_bytes[cut:] if cut is not None else request_bytes)
        assert read_answer(connection).status == 200
        connection.sendall(PLAIN)
        assert read_answer(connection).status == 200
    assert len(fresh_server.lines()) == 2


def test_requests_in_a_row_may_all_offer_it(fresh_server: RunningServer) -> None:
    with fresh_server.connect() as connection:
        connection.sendall(OFFERING * 10 + PLAIN)
        received = b""
        while received.count(b'{"success": true}') < 11:
            received += connection.recv(65536)
    assert len(fresh_server.lines()) == 11


def test_a_body_is_waited_for_when_it_is_expected(server: RunningServer) -> None:
    head = post_head(content_length=LENGTH, expect="100-continue", **OFFER)
    with server.connect() as connection:
        connection.sendall(head)
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(BODY)
        assert read_answer(connection).status == 200


@pytest.mark.parametrize(
    "request_bytes",
    [
        OFFERING.replace(b"Upgrade,", b"Upgrade, close,"),
        OFFERING.replace(b"HTTP/1.1", b"HTTP/1.0"),
    ],
)
def test_it_is_taken_as_the_last_of_its_connection(
    server: RunningServer, request_bytes: bytes
) -> None:
    answer = server.send(request_bytes)
    assert answer.status == 200
    assert answer.headers["connection"] == "close"


def test_a_web_socket_is_declined_like_any_other(server: RunningServer) -> None:
    request = b"GET /healthz HTTP/1.1\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
    with server.connect() as connection:
        for _ in range(2):
            connection.sendall(request)
            assert read_answer(connection, method="GET").content == {"status": "alive"}


def test_an_offer_hides_no_mistake_about_the_body(server: RunningServer) -> None:
    head = post_head(content_length=LENGTH, transfer_encoding="chunked", **OFFER)
    assert_refused(server.send(head + BODY), 400)


def test_a_tunnel_is_refused_and_its_connection_closed(server: RunningServer) -> None:
    with server.connect() as connection:
        connection.sendall(b"CONNECT /v1/track HTTP/1.1\r\n\r\n" + PLAIN)
        answer = read_answer(connection)
        assert_refused(answer, 405)
        assert answer.headers["connection"] == "close"
        assert connection.recv(1) == b""
