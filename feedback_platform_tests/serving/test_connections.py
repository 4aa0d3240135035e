"""What a sender gets who sends too slowly, too much, or something other than HTTP."""

from __future__ import annotations

import gzip
import json
import socket
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress

import pytest

from feedback_platform.serving.connections import Connection
from feedback_platform_tests.serving.running import RunningServer, dumped, read_answer
from feedback_platform_tests.serving.segment import assert_refused, message

HUNDRED_MEGABYTES = 100 << 20


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every server of the test waits for a second only."""
    monkeypatch.setattr(Connection, "request_seconds", 1.0)


@pytest.fixture
def crowded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every server of the test takes three connections only."""
    monkeypatch.setattr(Connection, "max_connections", 3)


def head(path: str = "/v1/track", **fields: str) -> bytes:
    named = {"host": "localhost", **{name.replace("_", "-"): text for name, text in fields.items()}}
    lines = "".join(f"{name}: {text}\r\n" for name, text in named.items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode()


def is_closed(connection: socket.socket) -> bool:
    with suppress(ConnectionResetError):
        return connection.recv(1) == b""
    return True


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"POST /v1/tr",
        head(content_length="100")[:-2],
        head(content_length="100"),
        head(content_length="100") + b'{"userId":',
        head(transfer_encoding="chunked") + b"5\r\n{",
        head(transfer_encoding="chunked") + b'5\r\n{"use\r\n',
    ],
)
def test_a_request_that_stays_unfinished_is_answered_and_closed(
    fresh_server: RunningServer, beginning: bytes
) -> None:
    with fresh_server.connect() as connection:
        connection.sendall(beginning)
        answer = read_answer(connection)
        assert_refused(answer, 408)
        assert answer.headers["connection"] == "close"
        assert is_closed(connection)
    assert fresh_server.lines() == []


@pytest.mark.usefixtures("impatient")
def test_a_sender_who_drips_is_cut_off(fresh_server: RunningServer) -> None:
    with fresh_server.connect() as connection:
        connection.sendall(head(content_length="1000"))
        connection.settimeout(0.1)
        for _ in range(100):
            with suppress(TimeoutError):
                assert_refused(read_answer(connection), 408)
                return
            connection.sendall(b"x")
    pytest.fail("nobody lost patience")


@pytest.mark.usefixtures("impatient")
def test_a_connection_in_use_is_not_cut_off(fresh_server: RunningServer) -> None:
    body = dumped(message())
    request = head(content_length=str(len(body))) + body
    with fresh_server.connect() as connection:
        for _ in range(6):
            connection.sendall(request)
            assert read_answer(connection).status == 200
            time.sleep(0.3)


def test_a_sender_who_leaves_in_the_middle_stores_nothing(fresh_server: RunningServer) -> None:
    with fresh_server.connect() as connection:
        connection.sendall(head(content_length="100") + b'{"userId":')
    assert fresh_server.ask("GET", "/healthz").status == 200
    assert fresh_server.lines() == []


def test_a_body_that_says_it_is_too_long_is_refused_unread(server: RunningServer) -> None:
    with server.connect() as connection:
        connection.sendall(head(content_length=str(HUNDRED_MEGABYTES)))
        assert_refused(read_answer(connection), 400, "larger")


def test_a_long_body_that_comes_all_the_same_gets_its_answer(server: RunningServer) -> None:
    with server.connect() as connection:
        connection.sendall(head(content_length=str(HUNDRED_MEGABYTES)))
        piece = b"x" * (1 << 20)
        for _ in range(100):
            connection.sendall(piece)
        assert_refused(read_answer(connection), 400, "larger")
        body = dumped(message())
        connection.sendall(head(content_length=str(len(body))) + body)
        assert read_answer(connection).status == 200


def test_a_chunked_body_is_taken(server: RunningServer) -> None:
    body = dumped(message())
    chunked = b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (5, body[:5], len(body) - 5, body[5:])
    assert server.send(head(transfer_encoding="chunked") + chunked).status == 200


def test_a_chunked_body_without_end_is_cut(server: RunningServer) -> None:
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    with server.connect() as connection:
        connection.sendall(head("/v1/batch", transfer_encoding="chunked"))
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


def test_a_body_longer_than_it_says_does_not_reach_the_next_request(
    fresh_server: RunningServer,
) -> None:
    body = dumped(message())
    with fresh_server.connect() as connection:
        connection.sendall(head(content_length=str(len(body))) + body + b"surplus\r\n\r\n")
        assert read_answer(connection).status == 200
    assert len(fresh_server.lines()) == 1


def test_requests_in_a_row_are_answered_in_order(fresh_server: RunningServer) -> None:
    requests = b""
    for number in range(10):
        body = json.dumps({"userId": "u", "event": "x", "n": number}).encode()
        requests += head("/v1/track" if number % 2 else "/v1/page", content_length=str(len(body)))
        requests += body
    with fresh_server.connect() as connection:
        connection.sendall(requests)
        received = b""
        while received.count(b'{"success": true}') < 10:
            received += connection.recv(65536)
    assert sorted(line["message"]["n"] for line in fresh_server.lines()) == list(range(10))


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
