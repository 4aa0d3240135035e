from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from feedback_platform.lake.store import Lake
from feedback_platform.monitoring.alerts.book import (
    Alert,
    Condition,
    Kind,
    News,
    Telling,
    what_changed,
)
from feedback_platform.monitoring.alerts.destinations import (
    LONGEST_TEXT,
    Destination,
    Log,
    Slack,
    Webhook,
    line,
)
from feedback_platform.monitoring.alerts.ledger import AlertLedger
from feedback_platform.monitoring.alerts.telling import tell_all
from feedback_platform.outgoing.posting import WebhookError, WebhookRefusedError
from feedback_platform.outgoing.signing import signature
from feedback_platform_tests.monitoring.alerts.found import DRIFT, FAILED, NOON, Clock, alert

SECRET = "a-secret-of-32-characters-at-all"  # noqa: S105 - of the test


class Receiver(ThreadingHTTPServer):
    """Answers as it is told, and remembers what it got."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[int] = []
        self.got: list[tuple[dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/services/T0/s3cret"

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(body) for _, body in self.got]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
        self.send_response(self.server.answers.pop(0) if self.server.answers else 200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def ledger(tmp_path: Path) -> AlertLedger:
    return AlertLedger(Lake(tmp_path.as_uri()))


@dataclass
class Somebody:
    """A destination that remembers, or fails."""

    name: str = "somebody"
    failure: Exception | None = None
    heard: list[tuple[str, News]] = field(default_factory=list)

    def tell(self, news: Alert, now: object) -> None:  # noqa: ARG002 - the port's
        if self.failure is not None:
            raise self.failure
        self.heard.append((news.condition.subject, news.news))


def found(ledger: AlertLedger, *wrong: Condition) -> None:
    ledger.write(lambda book: what_changed(book, wrong, list(Kind), NOON))


def test_each_destination_is_told_that_it_began_and_that_it_is_over(ledger: AlertLedger) -> None:
    one, other, clock = Somebody("one"), Somebody("other"), Clock()
    told: Sequence[Destination] = [one, other]
    for wrong in ([FAILED], [FAILED], [], []):
        found(ledger, *wrong)
        assert tell_all(ledger, told, clock) == []

    assert one.heard == other.heard == [("process", News.RAISED), ("process", News.RESOLVED)]


def test_who_fails_is_tried_again_later_and_holds_nobody_up(ledger: AlertLedger) -> None:
    failing, fine, clock = Somebody("failing", WebhookError("no answer")), Somebody("fine"), Clock()
    found(ledger, FAILED, DRIFT)

    # One failure is enough for a round.
    assert tell_all(ledger, [failing, fine], clock) == ["no answer"]
    assert len(fine.heard) == 2

    failing.failure = None
    tell_all(ledger, [failing], clock.pass_by(seconds=29))
    assert failing.heard == [("click_through", News.RAISED)]
    tell_all(ledger, [failing], clock.pass_by(seconds=1))
    assert failing.heard == [("click_through", News.RAISED), ("process", News.RAISED)]


def test_who_could_not_be_told_before_it_was_over_is_told_that_it_is(ledger: AlertLedger) -> None:
    failing, clock = Somebody(failure=WebhookError("no answer")), Clock()
    found(ledger, FAILED)
    tell_all(ledger, [failing], clock)
    found(ledger)
    failing.failure = None

    tell_all(ledger, [failing], clock.pass_by(minutes=1))

    assert failing.heard == [("process", News.RESOLVED)]


def test_who_refuses_is_not_asked_again(ledger: AlertLedger) -> None:
    refusing, clock = Somebody(failure=WebhookRefusedError("answered 404")), Clock()
    found(ledger, FAILED)

    assert tell_all(ledger, [refusing], clock) == ["answered 404"]
    assert tell_all(ledger, [refusing], clock.pass_by(days=1)) == []


def test_who_died_behind_telling_tells_it_twice_and_not_never(
    ledger: AlertLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    somebody, clock = Somebody(), Clock()
    found(ledger, FAILED)

    def die(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "write", die)
        with pytest.raises(KeyboardInterrupt):
            tell_all(ledger, [somebody], clock)
    tell_all(ledger, [somebody], clock)

    assert somebody.heard == [("process", News.RAISED)] * 2


def test_a_webhook_gets_the_news_signed_under_an_id_of_its_own(receiver: Receiver) -> None:
    webhook = Webhook(receiver.url, SECRET)
    begun = alert()
    over = replace(begun, resolved_at=NOON + timedelta(hours=1))

    webhook.tell(begun, NOON)
    webhook.tell(over, NOON + timedelta(hours=1))

    assert [body["type"] for body in receiver.bodies] == ["alert.raised", "alert.resolved"]
    data = receiver.bodies[0]["data"]
    assert (data["kind"], data["subject"], data["severity"]) == ("run_failure", "process", "error")
    assert (data["raised_at"], data["resolved_at"]) == ("2026-03-01T12:00:00+00:00", None)
    headers, body = receiver.got[0]
    assert headers["webhook-id"] == "a1-raised"
    assert receiver.got[1][0]["webhook-id"] == "a1-resolved"
    moment = int(headers["webhook-timestamp"])
    assert headers["webhook-signature"] == signature(SECRET, "a1-raised", moment, body)


def test_slack_gets_a_text_in_which_nobody_is_called(receiver: Receiver) -> None:
    called = replace(DRIFT, subject="model_hit_rate:<!channel> & co")

    Slack(receiver.url).tell(alert(called), NOON)

    (body,) = receiver.bodies
    text = "Warning: drift model_hit_rate:&lt;!channel&gt; &amp; co: Changed from 0.12 to 0.06."
    assert body == {
        "text": text,
        "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text}}],
    }


@pytest.mark.parametrize(
    ("status", "raised"), [(503, WebhookError), (429, WebhookError), (404, WebhookRefusedError)]
)
def test_what_a_receiver_answers_decides_whether_it_is_tried_again(
    receiver: Receiver, status: int, raised: type[Exception]
) -> None:
    receiver.answers = [status]

    with pytest.raises(raised, match=f"at 127.0.0.1 answered {status}") as problem:
        Slack(receiver.url).tell(alert(), NOON)

    assert "s3cret" not in str(problem.value)


def test_a_real_receiver_that_comes_back_is_told(ledger: AlertLedger, receiver: Receiver) -> None:
    receiver.answers = [503, 503]
    slack, clock = Slack(receiver.url), Clock()
    found(ledger, FAILED)

    for _ in range(4):
        tell_all(ledger, [slack], clock)
        clock.pass_by(minutes=1)

    assert len(receiver.got) == 3
    (told,) = ledger.book.standing
    assert told.tellings == {"slack": Telling(told=News.RAISED)}


def test_the_log_gets_one_short_line() -> None:
    lines: list[str] = []

    Log(lines.append).tell(alert(replace(FAILED, message="It\nfailed. " * 1_000)), NOON)
    over = alert(resolved_at=NOON + timedelta(minutes=5))
    Log(lines.append).tell(over, NOON)

    assert lines[0].startswith("Error: run_failure process: It failed. It failed.")
    assert len(lines[0]) == LONGEST_TEXT
    assert lines[1] == (
        "Over since 2026-03-01 12:05 UTC: run_failure process: The run 1a2b3c4d failed."
    )
    assert line(over) == lines[1]


def test_no_secret_is_in_what_a_destination_is_shown_as() -> None:
    shown = repr([Webhook("https://a.example/s3cret", SECRET), Slack("https://a.example/s3cret")])

    assert "s3cret" not in shown
    assert SECRET not in shown
