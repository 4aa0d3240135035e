from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from feedback_platform.adjustment.rules.changes import CannotChangeError, Cause
from feedback_platform.adjustment.rules.definition import Action, Kind
from feedback_platform.adjustment.rules.webhook import (
    Receiver,
    WebhookChanger,
    WebhookError,
    checked_address,
    may_be_called,
    signature,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CAUSE = Cause("a1", "few-clicks", "placement=home", "click_through_rate is 0.02")
SECRET = "whsec_" + base64.b64encode(b"key of the receiver").decode()


class Listener(ThreadingHTTPServer):
    """A receiver that answers as it is told, and remembers what it got."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[int] = []
        self.got: list[tuple[str, dict[str, str], bytes]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.got.append((self.path, headers, body))
        status = self.server.answers.pop(0) if self.server.answers else 204
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def listener() -> Iterator[Listener]:
    server = Listener()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


class Caller:
    """The product's side, whose waiting takes no time."""

    def __init__(self, url: str) -> None:
        self.pauses: list[float] = []
        self.changer = WebhookChanger(Receiver(url, SECRET), lambda: NOON, self.pauses.append)
        self.change = self.changer.plan(Action(Kind.WEBHOOK))


@pytest.fixture
def caller(listener: Listener) -> Caller:
    return Caller(f"http://127.0.0.1:{listener.server_port}/hooks?key=1")


def test_the_signature_is_that_of_the_specification() -> None:
    # The example of https://github.com/standard-webhooks/standard-webhooks.
    found = signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )

    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_receiver_is_told_what_happened_and_can_tell_who_says_so(
    listener: Listener, caller: Caller
) -> None:
    caller.changer.make(caller.change, CAUSE)

    ((path, headers, body),) = listener.got
    assert path == "/hooks?key=1"
    assert json.loads(body) == {
        "type": "adjustment.applied",
        "timestamp": "2026-03-01T12:00:00+00:00",
        "data": {
            "adjustment_id": "a1",
            "rule": "few-clicks",
            "scope": "placement=home",
            "reason": "click_through_rate is 0.02",
            "action": "webhook",
        },
    }
    assert headers["webhook-id"] == "a1"
    signed = f"a1.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.new(b"key of the receiver", signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
    assert int(headers["webhook-timestamp"]) == NOON.timestamp()


def test_taking_it_back_is_another_message(listener: Listener, caller: Caller) -> None:
    caller.changer.take_back(caller.change, CAUSE)

    ((_, headers, body),) = listener.got
    assert headers["webhook-id"] == "a1-undone"
    assert json.loads(body)["type"] == "adjustment.undone"


def test_a_passing_failure_is_tried_again_as_the_same_message(
    listener: Listener, caller: Caller
) -> None:
    listener.answers = [503, 429, 200]

    caller.changer.make(caller.change, CAUSE)

    assert {headers["webhook-id"] for _, headers, _ in listener.got} == {"a1"}
    assert len(listener.got) == 3
    assert caller.pauses == [0.5, 2.0]


def test_a_failure_that_lasts_is_left_for_the_next_batch(
    listener: Listener, caller: Caller
) -> None:
    listener.answers = [503, 503, 503]

    with pytest.raises(WebhookError, match=r"webhook at 127\.0\.0\.1 answered 503"):
        caller.changer.make(caller.change, CAUSE)


@pytest.mark.parametrize("status", [302, 400, 404])
def test_a_refusal_is_final_and_no_redirect_is_followed(
    listener: Listener, caller: Caller, status: int
) -> None:
    listener.answers = [status]

    with pytest.raises(CannotChangeError, match=f"answered {status}; see FEEDBACK_WEBHOOK_URL"):
        caller.changer.make(caller.change, CAUSE)
    assert len(listener.got) == 1


def test_nobody_there_is_a_failure_that_may_pass(free_port: int) -> None:
    caller = Caller(f"http://127.0.0.1:{free_port}/")

    with pytest.raises(WebhookError, match="did not answer: Connection refused"):
        caller.changer.make(caller.change, CAUSE)
    assert len(caller.pauses) == 2


def test_what_a_person_sees_is_the_host_alone(caller: Caller) -> None:
    assert (caller.change.subject, caller.change.after) == ("127.0.0.1", "called")
    assert "hooks" not in repr(caller.change)


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

    with pytest.raises(CannotChangeError, match=r"leads to 169\.254\.169\.254, which is never"):
        checked_address("hooks.example", 443)
