from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from feedback_platform.adjustment.rules.changes import CannotChangeError, Cause
from feedback_platform.adjustment.rules.definition import Action, Kind
from feedback_platform.adjustment.rules.webhook import (
    BUDGET_SECONDS,
    Receiver,
    WebhookChanger,
)
from feedback_platform.outgoing.posting import WebhookError
from feedback_platform.outgoing.signing import signature

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
    """The product's side, with a clock that is set by hand."""

    def __init__(self, url: str) -> None:
        self.seconds: list[float] = []
        self.changer = WebhookChanger(
            Receiver(url, SECRET), lambda: NOON, lambda: self.seconds.pop(0) if self.seconds else 0
        )
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


def test_after_a_failure_that_may_pass_nobody_is_called_until_the_next_run(
    listener: Listener, caller: Caller
) -> None:
    listener.answers = [503]

    with pytest.raises(WebhookError, match=r"webhook at 127\.0\.0\.1 answered 503"):
        caller.changer.make(caller.change, CAUSE)
    with pytest.raises(WebhookError, match="is not called any more in this run"):
        caller.changer.take_back(caller.change, CAUSE)

    assert len(listener.got) == 1


def test_the_calls_of_a_run_take_so_long_together_and_no_longer(
    listener: Listener, caller: Caller
) -> None:
    caller.seconds = [0, BUDGET_SECONDS - 1, BUDGET_SECONDS, BUDGET_SECONDS + 1]

    for _ in range(2):
        caller.changer.make(caller.change, CAUSE)
    with pytest.raises(WebhookError, match="is not called any more in this run"):
        caller.changer.make(caller.change, CAUSE)

    assert len(listener.got) == 2


@pytest.mark.parametrize("status", [302, 400, 404])
def test_a_refusal_is_final_and_no_redirect_is_followed(
    listener: Listener, caller: Caller, status: int
) -> None:
    listener.answers = [status]

    with pytest.raises(CannotChangeError, match=f"answered {status}; see FEEDBACK_WEBHOOK_URL"):
        caller.changer.make(caller.change, CAUSE)
    assert len(listener.got) == 1


def test_what_a_person_sees_is_the_host_alone(caller: Caller) -> None:
    assert (caller.change.subject, caller.change.after) == ("127.0.0.1", "called")
    assert "hooks" not in repr(caller.change)
