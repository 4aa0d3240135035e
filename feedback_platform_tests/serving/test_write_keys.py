"""Who may send, and how much."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from feedback_platform_tests.serving.running import RunningServer, running_server
from feedback_platform_tests.serving.segment import assert_refused, line_of, message

KEYS = {"web": "key-of-web", "mobile": "key-of-mobile"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    keys = ",".join(f"{name}:{secret}" for name, secret in KEYS.items())
    data = tmp_path_factory.mktemp("keys") / "data"
    with running_server(data, {"FEEDBACK_WRITE_KEYS": keys}) as running:
        yield running


def basic(user: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{user}:".encode()).decode()}


def test_the_key_may_come_in_each_of_the_ways_of_the_libraries(server: RunningServer) -> None:
    for headers, key in (
        (basic("key-of-web"), {}),
        ({"authorization": "Bearer key-of-web"}, {}),
        ({}, {"writeKey": "key-of-web"}),
        ({"authorization": "Bearer a.token.of-theirs"}, {"writeKey": "key-of-web"}),
    ):
        sent = message()
        assert server.post("/v1/track", {**sent, **key}, headers).status == 200
        line = line_of(server, sent["messageId"])
        assert line["source"] == "web"
        assert line["message"] == sent
        sent = message()
        assert server.post("/v1/batch", {"batch": [sent], **key}, headers).status == 200
        assert line_of(server, sent["messageId"])["source"] == "web"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Basic"},
        {"authorization": "Basic !!!"},
        {"authorization": "Bearer key-of-we"},
        {"authorization": "Bearer key-of-web2"},
        {"authorization": "Digest key-of-web"},
        {"authorization": "Bearer \xff\xfe"},
    ],
)
def test_a_missing_or_unknown_key_is_refused(
    server: RunningServer, headers: dict[str, str]
) -> None:
    before = len(server.lines())
    for path, body in (("/v1/track", message()), ("/v1/batch", {"batch": [message()]})):
        answer = server.post(path, body, headers)
        assert_refused(answer, 401, "key")
        assert answer.headers["www-authenticate"].startswith("Basic")
    for wrong in ("nobody", 5, None, "é"):
        assert_refused(server.post("/v1/track", {**message(), "writeKey": wrong}, headers), 401)
    assert len(server.lines()) == before


def test_the_settings_need_a_known_key(server: RunningServer) -> None:
    assert server.ask("GET", "/v1/projects/key-of-web/settings").status == 200
    assert_refused(server.ask("GET", "/v1/projects/other/settings"), 401)


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[RunningServer]:
    environment = {"FEEDBACK_EVENTS_PER_SECOND": "10", "FEEDBACK_WRITE_KEYS": "a:aaa,b:bbb"}
    with running_server(tmp_path / "data", environment) as running:
        yield running


def test_too_many_events_are_told_when_there_is_room(limited: RunningServer) -> None:
    batch = {"batch": [message() for _ in range(1000)], "writeKey": "aaa"}
    for _ in range(2):
        assert limited.post("/v1/batch", batch).status == 200
    answer = limited.post("/v1/batch", batch)
    assert_refused(answer, 429)
    # The bucket of 2,500 has 500 left, and ten come back each second.
    assert int(answer.headers["retry-after"]) in {49, 50}
    assert answer.headers["x-ratelimit-reset"] == answer.headers["retry-after"]
    assert len(limited.lines()) == 2000
    assert limited.post("/v1/batch", {**batch, "writeKey": "bbb"}).status == 200
