"""Segment's tracking API through a real server: single messages, and what browsers need."""

from __future__ import annotations

import base64
import gzip
from typing import Any
from uuid import uuid4

import pytest

from feedback_platform_tests.serving.running import RunningServer, dumped
from feedback_platform_tests.serving.segment import SINGLE, assert_refused, line_of, message


@pytest.mark.parametrize("kind", SINGLE)
def test_each_type_has_its_path_and_its_letter(server: RunningServer, kind: str) -> None:
    for path in (f"/v1/{kind}", f"/v1/{kind[0]}"):
        sent = message(kind)
        answer = server.post(path, sent)
        assert answer.status == 200
        assert answer.content == {"success": True}
        assert answer.headers["content-type"] == "application/json"
        line = line_of(server, sent["messageId"])
        assert line["format"] == "segment"
        assert line["message"] == sent


def test_the_path_gives_its_type_to_a_message_without_one(server: RunningServer) -> None:
    sent = message("page")
    del sent["type"]
    assert server.post("/v1/page", sent).status == 200
    assert line_of(server, sent["messageId"])["message"] == {"type": "page", **sent}


def test_a_type_other_than_that_of_the_path_is_refused(server: RunningServer) -> None:
    assert_refused(server.post("/v1/track", message("page")), 400, "type", "track")


def test_the_time_of_receiving_is_that_of_the_server_in_utc(server: RunningServer) -> None:
    sent = message()
    server.post("/v1/track", sent)
    received_at = line_of(server, sent["messageId"])["received_at"]
    assert len(received_at) == len("2026-11-23T10:00:00.123456Z")
    assert received_at.endswith("Z")


def test_a_message_without_an_id_gets_one_that_no_other_has(fresh_server: RunningServer) -> None:
    nameless = {key: value for key, value in message().items() if key != "messageId"}
    fresh_server.post("/v1/track", nameless)
    fresh_server.post("/v1/batch", {"batch": [nameless, {**nameless, "messageId": ""}]})
    ids = [line["fallback_id"] for line in fresh_server.lines()]
    assert len(set(ids)) == 3


def test_a_compressed_body_is_taken(server: RunningServer) -> None:
    sent = message()
    body = gzip.compress(dumped({"batch": [sent]}))
    assert server.post("/v1/batch", body, {"content-encoding": "gzip"}).status == 200
    assert line_of(server, sent["messageId"])["message"] == sent


def test_a_text_plain_body_is_taken(server: RunningServer) -> None:
    sent = message()
    assert server.post("/v1/t", sent, {"content-type": "text/plain"}).status == 200
    assert line_of(server, sent["messageId"])["message"] == sent


def test_a_body_keeps_its_bytes_unless_it_has_lines_of_its_own(fresh_server: RunningServer) -> None:
    fresh_server.post("/v1/track", b'{ "type":"track", "userId":"u", "event":"\\u0041", "n": 1E2 }')
    fresh_server.post("/v1/track", b'{\n"type":"track",\r"userId":"u", "event":"B"\n}')
    lake_lines = fresh_server.lines()
    assert sorted(line["message"]["event"] for line in lake_lines) == ["A", "B"]


@pytest.mark.parametrize(
    ("path", "body", "word"),
    [
        ("track", {"event": "x"}, "userId"),
        ("track", {"event": "x", "userId": "", "anonymousId": None}, "userId"),
        ("track", {"userId": "u"}, "event"),
        ("track", {"userId": "u", "event": ""}, "event"),
        ("track", {"userId": "u", "event": 5}, "event"),
        ("track", {"userId": {"id": 5}, "event": "x"}, "userId"),
        ("track", {"userId": "u", "anonymousId": [1], "event": "x"}, "anonymousId"),
        ("track", {"userId": "u", "event": "x", "messageId": "m" * 101}, "messageId"),
        ("track", {"userId": "u", "event": "x", "messageId": 7}, "messageId"),
        ("track", {"userId": "u", "event": "x", "type": 7}, "type"),
        ("alias", {"userId": "u"}, "previousId"),
        ("alias", {"previousId": "u", "anonymousId": "a"}, "userId"),
        ("group", {"userId": "u"}, "groupId"),
        ("group", {"groupId": "g"}, "userId"),
        ("identify", {"traits": {}}, "userId"),
        ("page", {"name": "Home"}, "userId"),
        ("track", [1], "object"),
        ("track", 5, "object"),
        ("track", None, "JSON"),
        ("track", {"userId": "u", "event": "x" * 33_000}, "32,768"),
        ("batch", [], "object"),
        ("batch", {}, "batch"),
        ("batch", {"batch": {}}, "batch"),
        ("batch", {"batch": [{}] * 2501}, "2,500"),
        ("batch", {"batch": ["x" * 513_000]}, "512,000"),
        ("batch", {"batch": [], "context": []}, "context"),
        ("batch", {"batch": [], "sentAt": 5}, "sentAt"),
    ],
)
def test_a_refusal_names_what_is_wrong(
    server: RunningServer, path: str, body: Any, word: str
) -> None:
    before = len(server.lines())
    assert_refused(server.post(f"/v1/{path}", body), 400, word)
    assert len(server.lines()) == before


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"userId":"u","event":NaN}',
        b'{"userId":"u","event":"\\ud800"}',
        b'{"userId":"u","event":"x","n":1e999}',
        b'{"userId":"u","event":"x","n":' + b"9" * 5000 + b"}",
        b'{"userId":"u","event":"\xff"}',
        b'\xef\xbb\xbf{"userId":"u","event":"x"}',
        b'{"userId":"u","event":"x","p":' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"userId":"u","event":"x","p":' + b"[" * 260 + b"]" * 260 + b"}",
        b'{"userId":"u","event":"x"} trailing',
    ],
)
def test_what_not_every_program_reads_alike_is_refused(server: RunningServer, body: bytes) -> None:
    assert_refused(server.post("/v1/track", body), 400)


def test_of_a_key_that_stands_twice_the_last_counts(server: RunningServer) -> None:
    ids = [str(uuid4()), str(uuid4())]
    body = f'{{"userId":"u","event":"x","messageId":"{ids[0]}","messageId":"{ids[1]}"}}'
    assert server.post("/v1/track", body.encode()).status == 200
    assert line_of(server, ids[1])


def test_a_write_key_is_never_stored(fresh_server: RunningServer) -> None:
    secret = "sec-3f9a"  # noqa: S105 - nobody's
    fresh_server.post("/v1/track", {**message(), "writeKey": secret})
    fresh_server.post(
        "/v1/t", b'{"userId":"u","event":"x","write\\u004bey":"%s"}' % secret.encode()
    )
    batch = [{**message(), "writeKey": secret}, message()]
    fresh_server.post("/v1/b", {"batch": batch, "writeKey": secret})
    fresh_server.post(
        "/v1/b",
        b'{"writeKey":"%(k)s","batch":[{"writeKey" : "%(k)s","n":NaN}]}' % {b"k": secret.encode()},
    )
    lines = fresh_server.lines()
    assert len(lines) == 5
    opaque = [base64.b64decode(line["bytes"]) for line in lines if "bytes" in line]
    assert secret not in str(lines)
    assert [secret.encode() in content for content in opaque] == [False]


def test_a_browser_may_send_from_every_page(server: RunningServer) -> None:
    asked = {
        "origin": "https://shop.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,x-retry-count,ce-partner",
    }
    for path in ("/v1/t", "/v1/batch", "/v1/cloudevents", "/v1/projects/k/settings"):
        answer = server.ask("OPTIONS", path, headers=asked)
        assert answer.status == 204
        assert answer.headers["access-control-allow-origin"] == "*"
        allowed = answer.headers["access-control-allow-headers"].split(", ")
        assert {"authorization", "content-type", "x-retry-count", "ce-partner"} <= set(allowed)
        method = "GET" if "projects" in path else "POST"
        assert method in answer.headers["access-control-allow-methods"]


def test_the_settings_point_the_browser_at_this_server(server: RunningServer) -> None:
    answer = server.ask("GET", "/v1/projects/any-key/settings")
    assert answer.status == 200
    segment = answer.content["integrations"]["Segment.io"]
    assert segment["apiKey"] == "any-key"
    assert segment["apiHost"] == f"127.0.0.1:{server.port}/v1"
    assert segment["protocol"] == "http"
    behind = {"host": "events.example.com", "x-forwarded-proto": "https"}
    segment = server.ask("GET", "/v1/projects/k/settings", headers=behind).content["integrations"][
        "Segment.io"
    ]
    assert (segment["protocol"], segment["apiHost"]) == ("https", "events.example.com/v1")


def test_another_method_is_told_which_one_to_use(server: RunningServer) -> None:
    for method, path, allowed in (
        ("GET", "/v1/track", "POST, OPTIONS"),
        ("PUT", "/v1/batch", "POST, OPTIONS"),
        ("DELETE", "/v1/cloudevents", "POST, OPTIONS"),
        ("POST", "/v1/projects/k/settings", "GET, OPTIONS"),
    ):
        answer = server.ask(method, path)
        assert_refused(answer, 405)
        assert answer.headers["allow"] == allowed
