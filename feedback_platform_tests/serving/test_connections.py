"""What a sender gets who sends too much, or something other than HTTP."""

from __future__ import annotations

import gzip
import socket
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress

import pytest

from feedback_platform.serving.connections import MAX_HEAD_BYTES, Connection
from feedback_platform_tests.serving.running import (
    RunningServer,
    dumped,
    is_closed,
    post_head,
    read_answer,
)
from feedback_platform_tests.serving.segment import assert_refused, message

HUNDRED_MEGABYTES = 100 << 20


@pytest.fixture
def crowded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every server of the test takes three connections only."""
    monkeypatch.setattr(Connection, "max_connections", 3)
    monkeypatch.setattr(Connection, "max_turned_away", 1)


def test_a_body_that_says_it_is_too_long_is_refused_unread(server: RunningServer) -> None:
    with server.connect() as connection:
        connection.sendall(post_head(content_length=str(HUNDRED_MEGABYTES)))
        assert_refused(read_answer(connection), 400, "larger")


def test_a_long_body_that_comes_all_the_same_gets_its_answer(server: RunningServer) -> None:
    with server.connect() as connection:
        connection.sendall(post_head(content_length=str(HUNDRED_MEGABYTES)))
        piece = b"x" * (1 << 20)
        for _ in range(100):
            connection.sendall(piece)
        assert_refused(read_answer(connection), 400, "larger")
        body = dumped(message())
        connection.sendall(post_head(content_length=str(len(body))) + body)
        assert read_answer(connection).status == 200


def test_a_chunked_body_is_taken(server: RunningServer) -> None:
    body = dumped(message())
    chunked = b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (5, body[:5], len(body) - 5, body[5:])
    assert server.send(post_head(transfer_encoding="chunked") + chunked).status == 200


def test_a_chunked_body_without_end_is_cut(server: RunningServer) -> None:
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    with server.connect() as connection:
        connection.sendall(post_head("/v1/batch", transfer_encoding="chunked"))
        with suppress(ConnectionError):
            for _ in range(20):
                connection.sendall(chunk)
        assert_refused(read_answer(connection), 400, "larger")


def test_a_bomb_is_not_unpacked(server: RunningServer) -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(300)) + packer.flush()
    assert len(bomb) < 512_000
    assert_refused(server.post("/v1/batch", bomb, {"content-encoding": "gzip"}), 400, "larger")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no gzip",
        gzip.compress(dumped(message()))[:-5],
        gzip.compress(dumped(message())) + b"more",
    ],
    ids=["empty", "not gzip", "cut short", "followed by something"],
)
def test_what_is_not_gzip_is_refused(server: RunningServer, body: bytes) -> None:
    answer = server.post("/v1/track", body, {"content-encoding": "gzip"})
    assert_refused(answer, 400, "gzip")


def test_an_unknown_encoding_is_refused(server: RunningServer) -> None:
    assert_refused(server.post("/v1/track", message(), {"content-encoding": "br"}), 415, "gzip")


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"hello\r\n\r\n",
        b"POST /v1/track HTTP/1.1\r\ncontent-length: -5\r\n\r\n",
        b"POST /v1/track HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
        b"POST /v1/track HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
        b"POST /v1/track HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"POST /v1/tr\xffack HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused(server: RunningServer, request_bytes: bytes) -> None:
    answer = server.send(request_bytes)
    assert_refused(answer, 400)
    assert answer.headers["connection"] == "close"


def test_headers_without_end_are_refused(server: RunningServer) -> None:
    with server.connect() as connection:
        connection.sendall(b"POST /v1/track HTTP/1.1\r\n")
        with suppress(ConnectionError):
            for number in range(200):
                connection.sendall(f"x-{number}: {'y' * 1000}\r\n".encode())
                time.sleep(0.001)
        assert_refused(read_answer(connection), 431)


@pytest.mark.parametrize("piece", [b"x-more: y\r\n" * 500, b"y" * 5000])
def test_trailers_without_end_are_refused(server: RunningServer, piece: bytes) -> None:
    with server.connect() as connection:
        connection.sendall(post_head(transfer_encoding="chunked") + b"1\r\n{\r\n0\r\nx-first: ")
        with suppress(ConnectionError):
            for _ in range(200):
                connection.sendall(piece)
                time.sleep(0.001)
        assert_refused(read_answer(connection), 431)


def test_a_trailer_is_no_header(server: RunningServer) -> None:
    body = dumped(message())
    chunked = b"%x\r\n%s\r\n0\r\ncontent-encoding: gzip\r\n\r\n" % (len(body), body)
    with server.connect() as connection:
        for _ in range(2):
            connection.sendall(post_head(transfer_encoding="chunked") + chunked)
            assert read_answer(connection).status == 200


def test_a_large_body_behind_the_end_of_a_head_is_no_large_head(server: RunningServer) -> None:
    body = dumped({"batch": [message() for _ in range(900)]})
    assert len(body) > 2 * MAX_HEAD_BYTES
    whole = post_head("/v1/batch", content_length=str(len(body))) + body
    with server.connect() as connection:
        connection.sendall(whole[:30])
        time.sleep(0.05)
        connection.sendall(whole[30:])
        assert read_answer(connection).status == 200


def test_a_body_longer_than_it_says_does_not_reach_the_next_request(
    fresh_server: RunningServer,
) -> None:
    body = dumped(message())
    with fresh_server.connect() as connection:
        connection.sendall(post_head(content_length=str(len(body))) + body + b"surplus\r\n\r\n")
        assert read_answer(connection).status == 200
    assert len(fresh_server.lines()) == 1


@pytest.fixture
def connections(fresh_server: RunningServer) -> Iterator[list[socket.socket]]:
    opened = [fresh_server.connect() for _ in range(3)]
    yield opened
    for connection in opened:
        connection.close()


@pytest.mark.usefixtures("crowded", "connections")
def test_one_connection_too_many_is_told_to_come_back(fresh_server: RunningServer) -> None:
    answer = fresh_server.post("/v1/track", message())
    assert_refused(answer, 503)
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.usefixtures("crowded", "connections")
def test_of_those_who_are_turned_away_only_a_few_are_heard(fresh_server: RunningServer) -> None:
    with fresh_server.connect() as told, fresh_server.connect() as untold:
        assert is_closed(untold)
        told.sendall(post_head(content_length="0"))
        assert_refused(read_answer(told), 503)
