"""OFREP over HTTP: statuses and bodies as its clients expect them."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from feedback_platform.adjustment.flags.changes import with_default
from feedback_platform_tests.adjustment.flags.definitions import ADA
from feedback_platform_tests.serving.flag_server import (
    BULK,
    FLAGS,
    STREAM,
    apply_flags,
    by_key,
    evaluate,
    flags_of,
)
from feedback_platform_tests.serving.mutations import Request, mutated
from feedback_platform_tests.serving.running import Answer, RunningServer, running_server
from feedback_platform_tests.waiting import until

KEYS = {"FEEDBACK_WRITE_KEYS": "web:w-key,app:a-key", "FEEDBACK_API_KEYS": "ops:admin-key"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("flags") / "data") as running:
        apply_flags(running)
        until(lambda: evaluate(running, "switch").status == 200)
        yield running


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("guarded") / "data", KEYS) as running:
        apply_flags(running)
        headers = {"x-api-key": "w-key"}
        until(lambda: evaluate(running, "switch", headers).status == 200)
        yield running


EXPECTED: dict[str, tuple[dict[str, Any], Any, str, str, dict[str, Any]]] = {
    "switch": ({}, False, "off", "STATIC", {"revision": 1}),
    "layout": ({"country": "AT"}, "grid", "grid", "TARGETING_MATCH", {"rule": "rule 0"}),
    "price": ({}, 1.0, "a", "STATIC", {}),
    "limit": ({}, 5, "a", "STATIC", {}),
    "theme": ({}, {"dark": True}, "a", "STATIC", {}),
}


@pytest.mark.parametrize("key", EXPECTED)
def test_one_flag_is_evaluated_with_value_reason_variant_and_metadata(
    server: RunningServer, key: str
) -> None:
    context, value, variant, reason, metadata = EXPECTED[key]
    answer = evaluate(server, key, **context)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.content == {
        "key": key,
        "value": value,
        "variant": variant,
        "reason": reason,
        "metadata": {"revision": 1} | metadata,
    }


def test_a_float_keeps_its_point_and_a_whole_number_has_none(server: RunningServer) -> None:
    assert b'"value":1.0,' in evaluate(server, "price").body
    assert b'"value":5,' in evaluate(server, "limit").body


def test_a_disabled_flag_has_no_value_but_the_variant_that_clients_look_for(
    server: RunningServer,
) -> None:
    answer = evaluate(server, "gone")
    assert answer.status == 200
    assert "value" not in answer.content
    assert (answer.content["reason"], answer.content["variant"]) == ("DISABLED", "")


def test_a_rollout_splits_by_the_hash(server: RunningServer) -> None:
    found = [evaluate(server, "rollout", targetingKey=f"user-{n}").content for n in range(30)]
    assert {each["reason"] for each in found} == {"SPLIT", "STATIC"}
    assert all((each["variant"] == "cards") == (each["reason"] == "SPLIT") for each in found)


def test_who_says_that_he_is_not_to_be_personalised_gets_the_default(
    server: RunningServer,
) -> None:
    for number in range(20):
        answer = evaluate(server, "rollout", targetingKey=f"user-{number}", personalisation=False)
        assert (answer.content["variant"], answer.content["reason"]) == ("list", "STATIC")


def assert_failure(answer: Answer, status: int, code: str | None, key: str | None) -> None:
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    content = dict(answer.content)
    assert isinstance(content.pop("errorDetails"), str)
    expected = {} if key is None else {"key": key}
    assert content == expected | ({} if code is None else {"errorCode": code})


def test_an_unknown_flag_is_404(server: RunningServer) -> None:
    assert_failure(evaluate(server, "none"), 404, "FLAG_NOT_FOUND", "none")
    assert_failure(evaluate(server, "a%2Fb"), 404, "FLAG_NOT_FOUND", "a/b")


def test_a_split_without_a_person_says_what_is_missing(server: RunningServer) -> None:
    answer = server.post(f"{BULK}/rollout", {"context": {}})
    assert_failure(answer, 400, "TARGETING_KEY_MISSING", "rollout")
    assert "targetingKey" in answer.content["errorDetails"]


BAD: list[tuple[bytes, str]] = [
    (b"{", "PARSE_ERROR"),
    (b"[]", "PARSE_ERROR"),
    (b'"x"', "PARSE_ERROR"),
    (b'{"context": NaN}', "PARSE_ERROR"),
    (b"\xff", "PARSE_ERROR"),
    (b"[" * 5000, "PARSE_ERROR"),
    (b'{"context": []}', "INVALID_CONTEXT"),
    (b'{"context": "ada"}', "INVALID_CONTEXT"),
    (b'{"context": {"targetingKey": 3}}', "INVALID_CONTEXT"),
    (b'{"context": {"targetingKey": {}}}', "INVALID_CONTEXT"),
]


@pytest.mark.parametrize(("body", "code"), BAD)
def test_what_cannot_be_understood_is_400(server: RunningServer, body: bytes, code: str) -> None:
    assert_failure(server.post(f"{BULK}/switch", body), 400, code, "switch")
    assert_failure(server.post(BULK, body), 400, code, None)


def test_a_body_that_is_too_large_is_refused_before_it_is_read(server: RunningServer) -> None:
    answer = server.ask("POST", BULK, b"", {"content-length": str(2**30)})
    assert_failure(answer, 413, "PARSE_ERROR", None)
    chunk = b"10001\r\n" + b" " * 0x10001 + b"\r\n0\r\n\r\n"
    answer = server.ask("POST", BULK, chunk, {"transfer-encoding": "chunked"})
    assert_failure(answer, 413, "PARSE_ERROR", None)
    assert_failure(
        server.ask("POST", BULK, b"x", {"content-encoding": "gzip"}), 400, "PARSE_ERROR", None
    )


@pytest.mark.parametrize("body", [b"", b"{}", b'{"context": null}'])
def test_without_a_context_what_needs_none_is_evaluated(server: RunningServer, body: bytes) -> None:
    found = by_key(server.post(BULK, body))
    assert found["switch"]["value"] is False
    assert found["rollout"]["errorCode"] == "TARGETING_KEY_MISSING"
    assert found["rollout"]["errorDetails"]


def test_all_flags_are_evaluated_at_once(server: RunningServer) -> None:
    answer = evaluate(server, country="AT")
    found = by_key(answer)
    assert list(found) == sorted(FLAGS)
    for key in FLAGS:
        assert found[key] == evaluate(server, key, country="AT").content
    (stream,) = answer.content["eventStreams"]
    assert stream == {"type": "sse", "url": f"http://127.0.0.1:{server.port}{STREAM}"}


def test_a_proxy_says_how_the_browser_reaches_the_stream(server: RunningServer) -> None:
    headers = {"host": "flags.example:8443", "x-forwarded-proto": "https"}
    (stream,) = evaluate(server, headers=headers).content["eventStreams"]
    assert stream["url"] == f"https://flags.example:8443{STREAM}"


def test_what_the_client_has_already_is_not_sent_again(server: RunningServer) -> None:
    first = evaluate(server)
    etag = first.headers["etag"]
    for sent in (etag, f"W/{etag}", f'"x", {etag}', "*"):
        again = evaluate(server, headers={"if-none-match": sent})
        assert (again.status, again.body) == (304, b"")
        assert again.headers["etag"] == etag
        assert again.headers["access-control-allow-origin"] == "*"
    for sent in ('"x"', etag.strip('"'), ""):
        assert evaluate(server, headers={"if-none-match": sent}).status == 200


def test_the_etag_is_that_of_the_answer(server: RunningServer) -> None:
    etag = evaluate(server).headers["etag"]
    assert evaluate(server, age=3).headers["etag"] == etag
    assert evaluate(server, country="AT").headers["etag"] != etag


def test_a_changed_flag_has_another_etag_in_the_next_answer_without_a_restart(
    fresh_server: RunningServer,
) -> None:
    apply_flags(fresh_server)
    until(lambda: "switch" in by_key(evaluate(fresh_server)))
    etag = evaluate(fresh_server).headers["etag"]

    flags_of(fresh_server).edit("switch", lambda old: with_default(old, "on"), ADA)

    # Whoever knows of the change, as the stream told him, need not wait for the next look.
    told = f"{BULK}?flagConfigEtag=2&flagConfigLastModified=2026-03-01T12:00:00Z"
    answer = fresh_server.post(told, {"context": {"targetingKey": "ada"}}, {"if-none-match": etag})
    assert by_key(answer)["switch"]["value"] is True
    assert by_key(answer)["switch"]["metadata"] == {"revision": 2}
    assert answer.headers["etag"] != etag


@pytest.mark.parametrize("text", ["", "x", "9" * 30, "-1", "%FF", "2&flagConfigEtag=3"])
def test_what_no_stream_has_told_holds_nobody_up(server: RunningServer, text: str) -> None:
    assert server.post(f"{BULK}?flagConfigEtag={text}", {}).status == 200


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", BULK, "POST"), ("PUT", f"{BULK}/switch", "POST"), ("POST", STREAM, "GET")],
)
def test_another_method_is_405(server: RunningServer, method: str, path: str, allowed: str) -> None:
    answer = server.ask(method, path)
    assert_failure(answer, 405, None, None)
    assert answer.headers["allow"] == f"{allowed}, OPTIONS"


@pytest.mark.parametrize("path", ["/ofrep/", "/ofrep/v1/evaluate/flags/", "/ofrep/v2/x"])
def test_another_path_is_404(server: RunningServer, path: str) -> None:
    assert_failure(server.post(path, {}), 404, None, None)


@pytest.mark.parametrize("path", [BULK, f"{BULK}/switch", STREAM])
def test_a_browser_is_told_what_it_may_send(guarded: RunningServer, path: str) -> None:
    answer = guarded.ask("OPTIONS", path, headers={"origin": "https://shop.example"})
    assert answer.status == 204
    allowed = answer.headers["access-control-allow-headers"].split(", ")
    assert {"content-type", "authorization", "x-api-key", "if-none-match"} <= set(allowed)
    assert "OPTIONS" in answer.headers["access-control-allow-methods"]


def test_a_page_may_read_the_etag(server: RunningServer) -> None:
    assert "etag" in evaluate(server).headers["access-control-expose-headers"]


@pytest.mark.parametrize("key", ["", "switch"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x-api-key": "w-key"}, 200),
        ({"authorization": "Bearer a-key"}, 200),
        ({}, 401),
        ({"x-api-key": "other"}, 401),
        ({"x-api-key": "w-ke"}, 401),
        ({"authorization": "Bearer other"}, 401),
        ({"authorization": "Bearer"}, 401),
        ({"authorization": "Bearer admin-key"}, 403),
        ({"x-api-key": "admin-key"}, 403),
    ],
)
def test_flags_are_for_those_who_have_a_write_key(
    guarded: RunningServer, key: str, headers: dict[str, str], status: int
) -> None:
    answer = evaluate(guarded, key, headers)
    assert answer.status == status
    if status != 200:
        assert_failure(answer, status, None, None)
        assert "key" in answer.content["errorDetails"]
        assert not any(secret in answer.body.decode() for secret in ("w-key", "admin-key"))


def test_the_address_of_the_stream_opens_it_and_nothing_else(guarded: RunningServer) -> None:
    (stream,) = evaluate(guarded, headers={"x-api-key": "w-key"}).content["eventStreams"]
    token = stream["url"].partition("?token=")[2]
    assert token
    assert "w-key" not in token
    assert evaluate(guarded, headers={"x-api-key": token}).status == 401
    for query in ("", "?token=", "?token=w-key", f"?token={token[:-1]}"):
        assert_failure(guarded.ask("GET", STREAM + query), 401, None, None)


def test_flags_are_there_when_the_server_starts(tmp_path: Path) -> None:
    with running_server(tmp_path / "data") as before:
        apply_flags(before)
    with running_server(tmp_path / "data") as after:
        assert evaluate(after, "switch").status == 200


def test_changed_bytes_are_evaluated_or_refused_with_a_reason(server: RunningServer) -> None:
    chance = random.Random(7)
    context = {"targetingKey": "ada", "country": "AT", "age": 30, "tags": ["a", {"b": None}]}
    body = json.dumps({"context": context}).encode()
    statuses: Counter[int] = Counter()
    for _ in range(400):
        path = chance.choice([BULK, f"{BULK}/layout", f"{BULK}/rollout"])
        changed = mutated(Request(path, {}, body), chance)
        answer = server.post(changed.path, changed.body)
        statuses[answer.status] += 1
        assert answer.headers["content-type"] == "application/json"
        assert answer.status == 200 or answer.content["errorDetails"]
    assert statuses.keys() == {200, 400}
    assert min(statuses.values()) > 20
