"""Every request has an id that its answer and its log lines share; no key reaches a log."""

from __future__ import annotations

import base64
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from feedback_platform.ingestion.collector.station import Station
from feedback_platform_tests.serving.flag_server import opened_stream
from feedback_platform_tests.serving.running import RunningServer, post_head, read_answer
from feedback_platform_tests.serving.segment import assert_refused, message
from feedback_platform_tests.serving.serving_process import serving_process
from feedback_platform_tests.waiting import until

WRITE_KEY = "wr1te-key-of-the-page"
API_KEY = "ap1-key-of-ada"
WRONG_KEY = "wr0ng-key-of-somebody"


@pytest.mark.parametrize("request_id", ["a", "7f3c2-B.x_9", "0" * 64])
def test_a_well_formed_id_comes_back(server: RunningServer, request_id: str) -> None:
    answer = server.post("/v1/track", message(), {"X-Request-ID": request_id})
    assert (answer.status, answer.headers["x-request-id"]) == (200, request_id)


@pytest.mark.parametrize("request_id", ["", "0" * 65, "a b", "-a", "ä", 'a"', "a;b", "<script>"])
def test_an_id_that_is_none_is_replaced(server: RunningServer, request_id: str) -> None:
    made = server.post("/v1/track", message(), {"x-request-id": request_id}).headers["x-request-id"]
    assert made
    assert made != request_id


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/track", 400),
        ("OPTIONS", "/v1/track", 204),
        ("GET", "/healthz", 200),
        ("GET", "/nowhere", 404),
        ("GET", "/registry/subjects", 200),
        ("GET", "/registry/subjects/none/versions", 404),
        ("POST", "/ofrep/v1/evaluate/flags/none", 404),
        ("GET", "/docs/static/swagger-ui.css", 200),
    ],
)
def test_every_answer_has_an_id_of_its_own(
    server: RunningServer, method: str, path: str, status: int
) -> None:
    answers = [server.ask(method, path) for _ in range(2)]
    assert {answer.status for answer in answers} == {status}
    assert len({answer.headers["x-request-id"] for answer in answers}) == 2


def test_a_stream_has_an_id(server: RunningServer) -> None:
    with opened_stream(server, headers="x-request-id: abc\r\n") as stream:
        assert stream.headers["x-request-id"] == "abc"


def test_a_refusal_by_the_connection_has_an_id(server: RunningServer) -> None:
    assert server.send(b"hello\r\n\r\n").headers["x-request-id"]


def test_pipelined_requests_have_each_their_own(server: RunningServer) -> None:
    body = json.dumps(message()).encode()
    with server.connect() as connection:
        for request_id in ("one", "two", "three"):
            head = post_head(content_length=str(len(body)), x_request_id=request_id)
            connection.sendall(head + body)
        answered = [read_answer(connection).headers["x-request-id"] for _ in range(3)]
    assert answered == ["one", "two", "three"]


def test_an_error_nobody_foresaw_is_told_and_logged_once_with_its_request(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_station: Station) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(Station, "now", fail)
    with caplog.at_level(logging.ERROR):
        answer = server.post("/v1/track", message(), {"x-request-id": "abc"})
    assert_refused(answer, 500)
    assert answer.headers["x-request-id"] == "abc"
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


def basic(user: str, password: str = "") -> dict[str, str]:
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"authorization": f"Basic {pair}"}


def send_keys_everywhere(server: RunningServer) -> int:
    """Bring each key in each place in which clients put one; return how many requests that is."""
    requests = 0
    for key in (WRITE_KEY, API_KEY, WRONG_KEY):
        bearer = {"authorization": f"Bearer {key}"}
        for headers in (bearer, basic(key), basic("", key), {"x-api-key": key}, {}):
            named = {**headers, "x-request-id": key}
            server.post("/v1/track", message(), named)
            server.post("/v1/batch", {"batch": [message()], "writeKey": key}, named)
            server.post("/v1/batch", b'{"writeKey": "%s", "batch":' % key.encode(), named)
            server.post("/ofrep/v1/evaluate/flags", {}, named)
            server.post("/registry/subjects/x/versions", {"schema": key}, named)
            server.ask("GET", f"/metrics?token={key}", headers=named)
            server.ask("GET", f"/v1/projects/{key}/settings", headers=named)
            server.ask("GET", f"/nowhere/{key}?api_key={key}", headers=named)
            requests += 8
        # The address of a stream holds a token; this one opens nothing.
        path = f"/ofrep/v1/stream?token={key}"
        assert server.ask("GET", path).status == 401
        requests += 1
    return requests


def test_no_key_reaches_the_log_and_every_line_is_json(tmp_path: Path, free_port: int) -> None:
    environment = {
        "FEEDBACK_WRITE_KEYS": f"web:{WRITE_KEY}",
        "FEEDBACK_API_KEYS": f"ada:{API_KEY}",
        "FEEDBACK_LOG_FORMAT": "json",
    }
    options = ("--quiet", "--access-log", "1")
    with serving_process(tmp_path / "data", free_port, environment, options=options) as serving:
        requests = send_keys_everywhere(serving.client)
        records: list[dict[str, Any]] = []

        def all_are_logged() -> bool:
            # The last line may be half written.
            *lines, _ = serving.log.split("\n")
            records[:] = [json.loads(line) for line in lines]
            return len([each for each in records if each["endpoint"] != "health"]) == requests

        until(all_are_logged)
        log = serving.log
        for key in (WRITE_KEY, API_KEY):
            assert key not in log
        # What nobody knows as a key may stand there as the id that its client gave, nowhere else.
        for record in records:
            assert WRONG_KEY not in json.dumps({**record, "request_id": ""})
            assert record["logger"] == "feedback_platform.access"
            assert record["message"].startswith(f"{record['endpoint']} {record['method']} ")
        pairs = [base64.b64encode(f"{key}:".encode()).decode() for key in (WRITE_KEY, API_KEY)]
        assert not [pair for pair in pairs if pair in log]


def test_by_default_a_request_leaves_no_line(tmp_path: Path, free_port: int) -> None:
    options = ("--quiet",)
    with serving_process(tmp_path / "data", free_port, options=options) as serving:
        assert serving.client.post("/v1/track", message()).status == 200
        assert serving.log == ""
