"""Batches: one faulty message holds up no others, and none is lost."""

from __future__ import annotations

import base64
import gzip
from typing import Any

import pytest

from feedback_platform_tests.serving.running import RunningServer, dumped
from feedback_platform_tests.serving.segment import SINGLE, assert_refused, line_of, message


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/b", "/v1/import"])
def test_a_batch_is_stored_with_the_facts_of_its_envelope(server: RunningServer, path: str) -> None:
    sent = [message(kind) for kind in SINGLE]
    envelope = {
        "batch": sent,
        "sentAt": "2026-05-05T10:00:01.000Z",
        "context": {"library": {"name": "x"}},
        "integrations": {"All": True},
    }
    answer = server.post(path, envelope)
    assert (answer.status, answer.content) == (200, {"success": True})
    for each in sent:
        line = line_of(server, each["messageId"])
        assert line["message"] == each
        assert line["sent_at"] == "2026-05-05T10:00:01.000Z"
        assert line["context"] == {"library": {"name": "x"}}
        assert "integrations" not in line


def test_the_time_of_sending_of_a_message_comes_before_that_of_its_batch(
    server: RunningServer,
) -> None:
    own, other = message(sentAt="2026-05-05T09:00:00Z"), message()
    server.post("/v1/batch", {"batch": [own, other], "sentAt": "2026-05-05T10:00:00Z"})
    assert line_of(server, own["messageId"])["sent_at"] == "2026-05-05T09:00:00Z"
    assert line_of(server, other["messageId"])["sent_at"] == "2026-05-05T10:00:00Z"
    single = message(sentAt="2026-05-05T11:00:00Z")
    server.post("/v1/track", single)
    assert line_of(server, single["messageId"])["sent_at"] == "2026-05-05T11:00:00Z"


def test_an_empty_batch_succeeds_and_stores_nothing(fresh_server: RunningServer) -> None:
    assert fresh_server.post("/v1/batch", {"batch": []}).status == 200
    assert fresh_server.lines() == []


def test_faulty_messages_of_a_batch_are_put_aside_and_hold_up_no_others(
    fresh_server: RunningServer,
) -> None:
    good = [message() for _ in range(3)]
    faulty: list[tuple[Any, str, str | None]] = [
        ({"type": "track", "event": "x", "messageId": "1"}, "missing_user", "userId"),
        ({"type": "track", "userId": "u", "messageId": "2"}, "missing_field", "event"),
        ({"type": "track", "userId": ["u"], "event": "x"}, "invalid_type", "userId"),
        ({"type": "tracks", "userId": "u"}, "unknown_event_type", "type"),
        ({"userId": "u"}, "missing_field", "type"),
        (message(event="x" * 33_000), "too_large", None),
        (message(messageId="m" * 101), "too_large", "messageId"),
        (5, "invalid_type", "batch"),
        (None, "invalid_type", "batch"),
    ]
    mixed = [good[0], *[each for each, _, _ in faulty], *good[1:]]
    assert fresh_server.post("/v1/batch", {"batch": mixed}).status == 200
    lines = fresh_server.lines()
    assert len(lines) == len(mixed)
    assert [line["message"] for line in lines if "refusal" not in line] == good
    refusals = [
        (line["refusal"]["reason"], line["refusal"]["field"]) for line in lines if "refusal" in line
    ]
    assert sorted(map(str, refusals)) == sorted(str((reason, field)) for _, reason, field in faulty)


@pytest.mark.parametrize(
    "unreadable",
    [
        b'{"type":"track","userId":"u","event":"\\ud83d"}',
        b'{"type":"track","userId":"u","event":"x","n":NaN}',
        b'{"type":"track","userId":"u","event":"x","n":-Infinity}',
        b'{"type":"track","userId":"u","event":"\xff\xfe"}',
        b'{"type":"track","userId":"u","event":"x","p":' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"type":"track","userId":"u","event":"x","p":' + b"[" * 300 + b"]" * 300 + b"}",
        b'{"type":"track","userId":"u" "event"}',
    ],
)
def test_a_message_that_cannot_be_read_is_kept_with_its_bytes(
    fresh_server: RunningServer, unreadable: bytes
) -> None:
    good = [message(), message()]
    body = b'{"sentAt":"2026-05-05T10:00:00Z","batch":[%s, %s ,%s]}' % (
        dumped(good[0]),
        unreadable,
        dumped(good[1]),
    )
    assert fresh_server.post("/v1/batch", body).status == 200
    lines = fresh_server.lines()
    assert [line["message"] for line in lines if line["format"] == "segment"] == good
    (opaque,) = [line for line in lines if line["format"] == "opaque"]
    assert base64.b64decode(opaque["bytes"]) == unreadable
    assert opaque["refusal"] == {"reason": "malformed_json", "field": None}
    assert {line["sent_at"] for line in lines} == {"2026-05-05T10:00:00Z"}


def test_an_envelope_that_cannot_be_read_is_refused(server: RunningServer) -> None:
    for body in (
        b'{"batch":[{"type":"track"}],"sentAt":NaN}',
        b'{"batch":[}',
        b'{"batch":[{]}]}',
        b'{"batch":["]}',
        b'{"batch" [NaN]}',
        b"{batch:[NaN]}",
        b'{"batch":NaN}',
    ):
        assert_refused(server.post("/v1/batch", body), 400, "JSON")


def _deep(levels: int) -> Any:
    return {} if levels == 0 else {"a": _deep(levels - 1)}


@pytest.mark.parametrize(
    ("facts", "named"),
    [
        ({"context": {"a": "x" * 400_000}}, "context"),
        ({"context": _deep(300)}, "context"),
        ({"sentAt": "2" * 400_000}, "sentAt"),
    ],
)
def test_what_every_line_would_repeat_is_bounded(
    fresh_server: RunningServer, facts: dict[str, Any], named: str
) -> None:
    messages = [message() for _ in range(200)]

    answer = fresh_server.post("/v1/batch", {"batch": messages, **facts})

    assert_refused(answer, 400, named)
    assert fresh_server.lines() == []


def test_half_a_kilobyte_never_becomes_a_gigabyte(fresh_server: RunningServer) -> None:
    envelope = {"batch": [{}] * 2500, "context": {"a": "x" * 500_000}}
    body = gzip.compress(dumped(envelope))
    assert len(body) < 1000

    answer = fresh_server.post("/v1/batch", body, {"content-encoding": "gzip"})

    assert_refused(answer, 400, "context")
    assert answer.content["code"] == "too_large"
    assert fresh_server.lines() == []


def test_the_largest_batch_may_have_an_ordinary_context(fresh_server: RunningServer) -> None:
    messages = [{**message(), "messageId": str(number)} for number in range(2500)]
    context = {"page": "x" * 1000}
    answer = fresh_server.post("/v1/batch", {"batch": messages, "context": context})
    assert answer.status == 200
    lines = fresh_server.lines()
    assert [line["message"]["messageId"] for line in lines] == [str(n) for n in range(2500)]
    assert all(line["context"] == context for line in lines)


@pytest.mark.parametrize("unreadable", [b"", b",{"])
def test_a_context_is_stored_or_refused_however_deep_it_lies(
    server: RunningServer, unreadable: bytes
) -> None:
    statuses = []
    for levels in range(246, 262):
        context = dumped(_deep(levels))
        sent = dumped(message()) + unreadable + b"}" * bool(unreadable)
        answer = server.post("/v1/batch", b'{"batch":[%s],"context":%s}' % (sent, context))
        statuses.append(answer.status)
        if answer.status != 200:
            assert_refused(answer, 400, "context")
    assert statuses == [200] * 4 + [400] * 12


@pytest.mark.parametrize(
    "body",
    [
        b'{"batch":[%s],"batch":[]}',
        b'{"batch":[%s,{"n":NaN}],"batch":[]}',
        b'{"batch":[%s],"sentAt":null,"batch":[{"a":' + b"[" * 300 + b"]" * 300 + b"}]}",
        b'{"b\\u0061tch":[%s],"batch":[]}',
        b'{"batch":[%s],"\\u0062\\u0061\\u0074\\u0063\\u0068":[]}',
        b'{"batc\\u0068":[%s],"batc\\u0068":[{"n":1}]}',
        b'{"batch":[%s],"batch":[{"b\\u0061tch":1}]}',
        b'{"batch":[%s],"batch":[{"n":"\\u0022batch"}]}',
        b'{"batch":[%s],"batch":[{"n":"\\"b\\u0061tch"}]}',
    ],
)
def test_a_batch_that_another_one_would_hide_is_refused(
    fresh_server: RunningServer, body: bytes
) -> None:
    answer = fresh_server.post("/v1/batch", body % dumped(message()))
    assert_refused(answer, 400, "batch", "twice")
    assert fresh_server.lines() == []


def test_messages_may_speak_of_batches(fresh_server: RunningServer) -> None:
    sent = [message(properties={"batch": "batch"}), message(batch=[1])]
    twice = b'{"type":"track","userId":"u","event":"x","messageId":"m","n":{"batch":1,"batch":2}}'
    escaped = b'{"type":"track","userId":"u","event":"\\u0022batch","b\\u0061tch":"batc\\u0068"}'
    messages = (dumped(sent[0]), dumped(sent[1]), twice, escaped)
    body = b'{"batch":[%s]}' % b",".join(messages)
    assert fresh_server.post("/v1/batch", body).status == 200
    assert fresh_server.post("/v1/batch", b'{"b\\u0061tch":[%s]}' % escaped).status == 200
    assert len(fresh_server.lines()) == 5


def test_what_is_put_aside_has_the_same_id_when_it_is_sent_again(
    fresh_server: RunningServer,
) -> None:
    refused = {"type": "track", "userId": "u"}
    sound = {"type": "track", "userId": "u", "event": "x"}
    parts = [dumped(refused), dumped(sound), b'{"n":NaN}', b"7"]
    body = b'{"batch":[%s]}' % b",".join(parts)
    for _ in range(2):
        assert fresh_server.post("/v1/batch", body).status == 200
    lines = fresh_server.lines()
    aside = [line["fallback_id"] for line in lines if "refusal" in line]
    taken = [line["fallback_id"] for line in lines if "refusal" not in line]
    assert len(aside) == 6
    assert len(set(aside)) == 3
    assert all(len(each) == 16 for each in aside)
    # Two sound messages alike may be two events.
    assert len(set(taken)) == 2


@pytest.mark.parametrize("number", [2**63, 2**64, -(2**63) - 1, 10**60])
def test_a_huge_integer_is_stored_to_its_last_digit(server: RunningServer, number: int) -> None:
    sent = [message(properties={"n": number}), message(properties={"n": 1})]
    single = message(properties={"n": number}, writeKey="any")

    answer = server.post("/v1/batch", {"batch": sent, "sentAt": "2026-05-05T10:00:00Z"})
    alone = server.post("/v1/track", single)

    assert (answer.status, alone.status) == (200, 200)
    for each in (*sent, single):
        kept = line_of(server, each["messageId"])["message"]["properties"]["n"]
        assert int(kept) == each["properties"]["n"]
