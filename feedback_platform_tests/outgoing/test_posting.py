from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from feedback_platform.outgoing import posting
from feedback_platform.outgoing.posting import (
    WebhookError,
    WebhookRefusedError,
    checked_address,
    may_be_called,
    post,
)


class Dripping:
    """A receiver that sends its answer for ever, a byte after the other."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.is_left = threading.Event()
        self._thread = threading.Thread(target=self._drip)
        self._thread.start()

    def _drip(self) -> None:
        with suppress(OSError), self._listener.accept()[0] as taken:
            taken.sendall(b"HTTP/1.1 200 OK\r\nx-drop: ")
            while not self.is_left.wait(0.02):
                taken.sendall(b"x")

    def close(self) -> None:
        self.is_left.set()
        self._thread.join()
        self._listener.close()

    def is_hung_up_on(self) -> bool:
        """Whether the other side ends the connection, so that nothing can be sent to it."""
        self._thread.join(10)
        return not self._thread.is_alive()


@pytest.fixture
def dripping() -> Iterator[Dripping]:
    receiver = Dripping()
    yield receiver
    receiver.close()


def test_a_receiver_that_drips_is_left_when_the_time_is_over(dripping: Dripping) -> None:
    with pytest.raises(WebhookError, match=r"at 127\.0\.0\.1 did not answer within 0\.3 seconds"):
        post(f"http://127.0.0.1:{dripping.port}/", b"", {}, seconds=0.3)

    assert dripping.is_hung_up_on()


def test_a_name_that_is_looked_up_for_too_long_is_not_called_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = threading.Event()
    called: list[object] = []

    def slowly(*_: object, **__: object) -> list[tuple[object, ...]]:
        found.wait()
        return [(2, 1, 6, "", ("127.0.0.1", 80))]

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    monkeypatch.setattr(socket, "create_connection", lambda *given: called.append(given))

    with pytest.raises(WebhookError, match=r"did not answer within 0\.1 seconds"):
        post("http://localhost/", b"", {}, seconds=0.1)
    found.set()
    for thread in threading.enumerate():
        if thread.name == "webhook":
            thread.join()

    assert called == []


def test_nobody_there_is_a_failure_that_may_pass(free_port: int) -> None:
    with pytest.raises(WebhookError, match="did not answer: Connection refused"):
        post(f"http://127.0.0.1:{free_port}/", b"", {})


def test_what_is_not_https_is_said_without_a_word_of_the_url(dripping: Dripping) -> None:
    with pytest.raises(WebhookError, match="did not answer") as refused:
        post(f"https://localhost:{dripping.port}/s3cret", b"", {}, seconds=5)

    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("path", ["s3cret token", "s3cret\u00e9"])
def test_a_url_that_no_client_takes_fails_the_call_alone_and_is_not_shown(
    free_port: int, path: str
) -> None:
    with pytest.raises(WebhookRefusedError, match="cannot be called") as refused:
        post(f"http://127.0.0.1:{free_port}/{path}", b"", {})

    assert "s3cret" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_whatever_else_a_call_raises_fails_that_call(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> str:
        raise AssertionError("s3cret")

    monkeypatch.setattr(posting, "checked_address", fail)

    with pytest.raises(WebhookError, match=r"did not answer as HTTP does \(AssertionError\)"):
        post("http://localhost/", b"", {})


@pytest.mark.parametrize(
    ("host", "address", "is_allowed"),
    [
        ("hooks.example", "93.184.215.14", True),
        ("hooks.example", "10.0.0.7", True),
        ("hooks.example", "169.254.169.254", False),
        ("hooks.example", "::ffff:169.254.169.254", False),
        ("hooks.example", "fe80::1%eth0", False),
        ("hooks.example", "127.0.0.1", False),
        ("hooks.example", "::1", False),
        ("hooks.example", "0.0.0.0", False),  # noqa: S104
        ("hooks.example", "224.0.0.1", False),
        ("169.254.169.254", "169.254.169.254", False),
        ("fd00:ec2::254", "fd00:ec2::254", False),
        ("hooks.example", "fd00:ec2::253", True),
        ("hooks.example", "100.100.100.200", False),
        ("hooks.example", "::ffff:100.100.100.200", False),
        ("localhost", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("::1", "::1", True),
        ("localhost", "169.254.1.1", False),
    ],
)
def test_only_some_addresses_are_ever_called(host: str, address: str, *, is_allowed: bool) -> None:
    assert may_be_called(host, address) is is_allowed


def test_a_name_that_leads_to_a_forbidden_address_is_not_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [(2, 1, 6, "", ("93.184.215.14", 443)), (2, 1, 6, "", ("169.254.169.254", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

    with pytest.raises(WebhookRefusedError, match=r"leads to 169\.254\.169\.254, which is never"):
        checked_address("hooks.example", 443)
