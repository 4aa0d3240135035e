from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from feedback_platform.lake.store import Lake
from feedback_platform.monitoring.alerts.book import (
    Failed,
    Kind,
    News,
    Raised,
    Resolved,
    Told,
)
from feedback_platform.monitoring.alerts.ledger import AlertLedger
from feedback_platform_tests.cli.conftest import Run
from feedback_platform_tests.cli.outcomes import parsed
from feedback_platform_tests.monitoring.alerts.found import DRIFT, FAILED, NOON


class _Taking(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(404 if "gone" in self.path else 200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Taking)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake((tmp_path / "data" / "lake").as_uri())


@pytest.fixture
def known(lake: Lake) -> None:
    ledger = AlertLedger(lake)
    ledger.write(
        lambda _: [
            Raised("a1", DRIFT, NOON),
            Resolved("a1", NOON),
            Raised("a2", FAILED, NOON),
            Told("a2", "log", News.RAISED),
            Failed("a2", "slack", NOON, "The webhook at a.example answered 503."),
        ]
    )


def test_where_nobody_was_told_of_anything_the_list_says_so(run: Run) -> None:
    assert run("alerts", "list").output == "Nothing is wrong that anybody was told of.\n"
    assert parsed(run("alerts", "list", "--json")) == []


@pytest.mark.usefixtures("known")
def test_the_list_has_what_is_wrong_and_who_was_told(run: Run) -> None:
    finished = run("alerts", "list")

    assert (finished.code, finished.errors) == (0, "")
    assert finished.output.splitlines() == [
        "a2  2026-03-01 12:00",
        "      Error: run_failure process: The run 1a2b3c4d failed.",
        "      log: told that it is raised",
        "      slack: The webhook at a.example answered 503. (tried 1 times)",
    ]
    rows = parsed(run("alerts", "list", "--all", "--json"))
    assert [(row["alert_id"], row["resolved_at"] is None) for row in rows] == [
        ("a2", True),
        ("a1", False),
    ]
    assert rows[0]["destinations"]["slack"]["failures"] == 1


def test_a_test_tells_who_takes_it_and_who_does_not(
    run: Run, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_ALERT_SLACK_URL", f"{address}/T0")
    finished = run("alerts", "test")
    assert finished.code == 0
    assert finished.output.split() == ["log", "told", "slack", "told"]
    assert "A test of the installation" in finished.errors

    monkeypatch.setenv("FEEDBACK_ALERT_SLACK_URL", f"{address}/gone/s3cret")
    finished = run("alerts", "test")
    assert finished.code == 1
    assert "The webhook at 127.0.0.1 answered 404; see FEEDBACK_ALERT_SLACK_URL." in finished.output
    assert "s3cret" not in finished.output + finished.errors


@pytest.mark.usefixtures("known")
def test_a_check_resolves_what_is_not_wrong_any_more(run: Run) -> None:
    finished = run("alerts", "check", "--json")

    assert finished.code == 0
    assert json.loads(finished.output) == {"wrong": 0, "telling": "everybody knows"}
    assert "Over since" in finished.errors
    assert parsed(run("alerts", "list", "--json")) == []


def test_every_kind_but_a_test_is_looked_for() -> None:
    from feedback_platform.orchestration.alerting import LOOKED_FOR

    assert set(Kind) - LOOKED_FOR == {Kind.TEST}
