"""Who sends slowly is waited for; who sends nothing, or next to nothing, is not."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import pytest

from feedback_platform.serving import server as server_module
from feedback_platform.serving.connections import Connection
from feedback_platform_tests.serving.running import (
    RunningServer,
    dumped,
    is_closed,
    post_head,
    read_answer,
    running_server,
)
from feedback_platform_tests.serving.segment import assert_refused, message


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every server of the test waits for a second only."""
    monkeypatch.setattr(Connection, "request_seconds", 1.0)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"POST /v1/tr",
        post_head(content_length="100")[:-2],
        post_head(content_length="100"),
        post_head(content_length="100") + b'{"userId":',
        post_head(transfer_encoding="chunked") + b"5\r\n{",
        post_head(transfer_encoding="chunked") + b'5\r\n{"use\r\n',
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
        connection.sendall(post_head(content_length="1000"))
        connection.settimeout(0.1)
        for _ in range(100):
            with suppress(TimeoutError):
                assert_refused(read_answer(connection), 408)
                return
            connection.sendall(b"x")
    pytest.fail("nobody lost patience")


@pytest.mark.usefixtures("impatient")
def test_a_sender_on_a_slow_line_is_waited_for(fresh_server: RunningServer) -> None:
    body = dumped({"batch": [message(properties={"padding": "x" * 20_000})]})
    with fresh_server.connect() as connection:
        connection.sendall(post_head("/v1/batch", content_length=str(len(body))))
        began = time.monotonic()
        for at in range(0, len(body), 1000):
            connection.sendall(body[at : at + 1000])
            time.sleep(0.08)
        assert time.monotonic() - began > Connection.request_seconds * 1.5
        assert read_answer(connection).status == 200
    assert len(fresh_server.lines()) == 1


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("head", "status"),
    [
        (post_head(content_length="10000000"), 400),
        (post_head("/v1/unknown", content_length="10000000"), 404),
        (post_head("/v1/unknown", transfer_encoding="chunked"), 404),
        (post_head("/registry/subjects/s/versions", content_length="10000000"), 413),
    ],
)
def test_a_body_that_was_refused_is_not_taken_for_as_long_as_it_comes(
    fresh_server: RunningServer, head: bytes, status: int
) -> None:
    with fresh_server.connect() as connection:
        connection.sendall(head)
        assert read_answer(connection).status == status
        connection.settimeout(0.05)
        for _ in range(200):
            # Twice as fast as a body has to come that is read.
            with suppress(TimeoutError, ConnectionError):
                connection.sendall(b"190\r\n%s\r\n" % (b"x" * 400))
            with suppress(TimeoutError):
                assert is_closed(connection)
                return
    pytest.fail("it was taken to no end")


def test_after_a_refusal_the_connection_may_be_used_again(fresh_server: RunningServer) -> None:
    body = dumped(message(event="x" * 600_000))
    with fresh_server.connect() as connection:
        for _ in range(3):
            connection.sendall(post_head(content_length=str(len(body))) + body)
            assert_refused(read_answer(connection), 400)
        small = dumped(message())
        connection.sendall(post_head(content_length=str(len(small))) + small)
        assert read_answer(connection).status == 200


@pytest.mark.usefixtures("impatient")
def test_nothing_but_content_is_progress(fresh_server: RunningServer) -> None:
    with fresh_server.connect() as connection:
        connection.sendall(post_head(transfer_encoding="chunked") + b"1\r\n{\r\n1;")
        connection.settimeout(0.1)
        for _ in range(100):
            with suppress(TimeoutError):
                assert_refused(read_answer(connection), 408)
                return
            connection.sendall(b"x" * 500)
    pytest.fail("nobody lost patience")


@pytest.mark.usefixtures("impatient")
def test_a_connection_in_use_is_not_cut_off(fresh_server: RunningServer) -> None:
    body = dumped(message())
    request = post_head(content_length=str(len(body))) + body
    with fresh_server.connect() as connection:
        for _ in range(6):
            connection.sendall(request)
            assert read_answer(connection).status == 200
            time.sleep(0.3)


def test_a_sender_who_leaves_in_the_middle_stores_nothing(fresh_server: RunningServer) -> None:
    with fresh_server.connect() as connection:
        connection.sendall(post_head(content_length="100") + b'{"userId":')
    assert fresh_server.ask("GET", "/healthz").status == 200
    assert fresh_server.lines() == []


def test_empty_lines_keep_no_connection_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "_KEEP_ALIVE_SECONDS", 1)
    body = dumped(message())
    with running_server(tmp_path / "data") as server, server.connect() as connection:
        connection.sendall(post_head(content_length=str(len(body))) + body)
        assert read_answer(connection).status == 200
        connection.sendall(b"\r\n")
        assert is_closed(connection)
