"""CloudEvents over HTTP in its three modes, through a real server."""

from __future__ import annotations

import base64
import gzip
import threading
from typing import Any
from uuid import uuid4

import pytest

from feedback_platform_tests.serving.running import RunningServer, dumped
from feedback_platform_tests.serving.segment import assert_refused

PATH = "/v1/cloudevents"
STRUCTURED = {"content-type": "application/cloudevents+json"}
BATCH = {"content-type": "application/cloudevents-batch+json; charset=UTF-8"}


def event(**fields: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": "/shop",
        "type": "com.example.item_clicked",
        "data": {"user_id": "u1", "item_id": "i1"},
        **fields,
    }


def in_headers(**fields: str) -> dict[str, str]:
    names = {"specversion": "1.0", "id": str(uuid4()), "source": "/shop", "type": "t", **fields}
    return {f"ce-{name}": value for name, value in names.items()}


def stored(server: RunningServer, event_id: str) -> dict[str, Any]:
    (line,) = [each for each in server.lines() if each.get("message", {}).get("id") == event_id]
    assert line["format"] == "cloudevent"
    found: dict[str, Any] = line["message"]
    return found


def test_a_structured_event_is_stored_as_it_came(server: RunningServer) -> None:
    sent = event(time="2026-05-05T10:00:00Z")
    answer = server.post(PATH, sent, STRUCTURED)
    assert (answer.status, answer.body) == (204, b"")
    assert stored(server, sent["id"]) == sent


def test_a_structured_event_may_be_compressed(server: RunningServer) -> None:
    sent = event()
    headers = {**STRUCTURED, "content-encoding": "gzip"}
    assert server.post(PATH, gzip.compress(dumped(sent)), headers).status == 204
    assert stored(server, sent["id"]) == sent


@pytest.mark.parametrize(
    ("media_type", "data", "member", "value"),
    [
        ("application/json", b'{"item_id":"i1"}', "data", {"item_id": "i1"}),
        ("application/vnd.shop+json; charset=utf-8", b"[1,\n2]", "data", [1, 2]),
        ("text/plain", "gr\u00fcn\n".encode(), "data", "gr\u00fcn\n"),
        ("image/png", b"\x89PNG\n\xff", "data_base64", base64.b64encode(b"\x89PNG\n\xff").decode()),
    ],
)
def test_a_binary_event_is_put_together(
    server: RunningServer, media_type: str, data: bytes, member: str, value: Any
) -> None:
    headers = in_headers(time="2026-05-05T10:00:00Z", partner="caf%C3%A9")
    answer = server.post(PATH, data, {**headers, "content-type": media_type})
    assert answer.status == 204
    assert stored(server, headers["ce-id"]) == {
        **{name.removeprefix("ce-"): text for name, text in headers.items()},
        "partner": "caf\u00e9",
        "datacontenttype": media_type,
        member: value,
    }


def test_a_binary_event_may_have_no_data(server: RunningServer) -> None:
    headers = in_headers()
    assert server.post(PATH, b"", headers).status == 204
    assert "data" not in stored(server, headers["ce-id"])


def test_a_batch_is_stored_and_its_faulty_events_are_put_aside(fresh_server: RunningServer) -> None:
    good = [event(), event()]
    faulty: list[tuple[bytes, str, str | None]] = [
        (dumped(event(id="")), "missing_field", "id"),
        (dumped(event(source=5)), "invalid_type", "source"),
        (dumped(event(specversion="0.3")), "out_of_range", "specversion"),
        (dumped(event(data_base64="AA==")), "invalid_type", "data_base64"),
        (dumped(event(data="x" * 66_000)), "too_large", None),
        (b"7", "invalid_type", None),
        (b'{"id":"\\udead"}', "malformed_json", None),
    ]
    parts = [dumped(good[0]), *[text for text, _, _ in faulty], dumped(good[1])]
    assert fresh_server.post(PATH, b"[" + b",\n".join(parts) + b"]", BATCH).status == 204
    lines = fresh_server.lines()
    assert [line["message"] for line in lines if "refusal" not in line] == good
    refusals = [line["refusal"] for line in lines if "refusal" in line]
    assert refusals == [{"reason": reason, "field": field} for _, reason, field in faulty]


def test_an_empty_batch_succeeds(server: RunningServer) -> None:
    assert server.post(PATH, [], BATCH).status == 204


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "application/json"},
        {"content-type": "application/cloudevents+avro"},
        {"content-type": "application/cloudevents"},
        {"content-type": "application/cloudevents+json; charset=latin-1"},
    ],
)
def test_an_unknown_format_is_415(server: RunningServer, headers: dict[str, str]) -> None:
    assert_refused(server.post(PATH, event(), headers), 415, "cloudevents+json")


@pytest.mark.parametrize(
    ("body", "headers", "status", "word"),
    [
        (event(id=None), STRUCTURED, 400, "id"),
        (event(type=""), STRUCTURED, 400, "type"),
        (event(specversion="2.0"), STRUCTURED, 400, "specversion"),
        ([event()], STRUCTURED, 400, "object"),
        (b"{", STRUCTURED, 400, "JSON"),
        (event(), BATCH, 400, "array"),
        (b"[1", BATCH, 400, "JSON"),
        (b"", BATCH, 400, "JSON"),
        ([1] * 2501, BATCH, 413, "2,500"),
        (event(data="x" * 66_000), STRUCTURED, 413, "65,536"),
        (b"x", {**in_headers(), "content-type": "application/json"}, 400, "JSON"),
        (b"\xff", {**in_headers(), "content-type": "text/plain"}, 400, "UTF-8"),
        (b"", in_headers(id=""), 400, "id"),
        (b"", in_headers(subject="%FF"), 400, "ce-subject"),
        (b"[" * 300 + b"]" * 300, in_headers(), 400, "deep"),
    ],
)
def test_a_refusal_names_what_is_wrong(
    server: RunningServer, body: Any, headers: dict[str, str], status: int, word: str
) -> None:
    assert_refused(server.post(PATH, body, headers), status, word)


def test_an_event_that_lies_too_deep_is_put_aside_whatever_else_it_lacks(
    fresh_server: RunningServer,
) -> None:
    deep = b'{"a":\n' + b"[" * 300 + b"]" * 300 + b"}"

    answer = fresh_server.post(PATH, b"[" + deep + b"," + dumped(event()) + b"]", BATCH)

    assert answer.status == 204
    opaque, good = fresh_server.lines()
    assert (opaque["format"], opaque["refusal"]["reason"]) == ("opaque", "malformed_json")
    assert base64.b64decode(opaque["bytes"]) == deep
    assert good["format"] == "cloudevent"


def test_what_is_put_aside_has_the_same_id_when_it_is_sent_again(
    fresh_server: RunningServer,
) -> None:
    named = event(source=5)
    body = b"[%s,%s,7]" % (dumped(event(id="", source="/s")), dumped(named))
    for _ in range(2):
        assert fresh_server.post(PATH, body, BATCH).status == 204
    lines = fresh_server.lines()
    first, second = lines[:3], lines[3:]
    ids = [line.get("fallback_id") for line in first]
    assert ids == [line.get("fallback_id") for line in second]
    assert ids[1] is None
    assert len({ids[0], ids[2]}) == 2


def test_many_bad_batches_at_once_are_answered_and_hold_up_no_event(
    fresh_server: RunningServer,
) -> None:
    body = b"[" + b'{"a":' * 60_000 + b"]"
    answers: list[int] = []

    def send() -> None:
        answers.append(fresh_server.post(PATH, body, BATCH).status)

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    sent = event()
    assert fresh_server.post(PATH, sent, STRUCTURED).status == 204
    for thread in threads:
        thread.join()
    assert answers == [400] * 6
    assert stored(fresh_server, sent["id"]) == sent
