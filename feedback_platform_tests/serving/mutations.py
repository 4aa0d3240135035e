"""Valid requests, and what becomes of them when bytes are changed at random."""

from __future__ import annotations

import gzip
import json
import random
from dataclasses import dataclass
from typing import Any

from feedback_platform_tests.serving.segment import SINGLE

# What parsers stumble over, put where it may matter.
_TOKENS = [
    b"NaN", b"-Infinity", b"1e999", b"-0", b"1" * 400, b"\\ud800", b"\\udfff", b"\\u0000", b"\xff",
    b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xef\xbb\xbf", b"\x00", b"\n", b"\r", b"\x1f", b'"',
    b"\\",
    b"{", b"}", b"[", b"]", b",", b":", b"null", b"true", b"[" * 300, b"]" * 300, b'{"a":' * 300,
    b"\xe2\x80\xa8", b'"type":5,', b'"userId":[],', b'"batch":[],', b'"writeKey":"k",', b"/**/",
    b'"context":{"a":' + b"[" * 300 + b"]" * 300 + b"},",
    b'{"a":\n' + b"[" * 300 + b"]" * 300 + b"},", b'"batch":[{}],"batch":[],',
]  # fmt: skip


@dataclass(frozen=True)
class Request:
    """What is sent to one endpoint."""

    path: str
    headers: dict[str, str]
    body: bytes


def valid_requests() -> list[Request]:
    """One of each kind that the collector takes."""
    singles = [
        Request(f"/v1/{kind}", {}, json.dumps({**fields, "messageId": kind}).encode())
        for kind, fields in SINGLE.items()
    ]
    items: list[Any] = [
        {"type": kind, "messageId": f"b-{kind}", **fields} for kind, fields in SINGLE.items()
    ]
    envelope = {"batch": items, "sentAt": "2026-05-05T10:00:00Z", "context": {"ip": "::1"}}
    batch = json.dumps(envelope).encode()
    event = {
        "specversion": "1.0",
        "id": "1",
        "source": "/s",
        "type": "t",
        "time": "2026-05-05T10:00:00Z",
        "data": {"user_id": "u", "list": [1, 2.5, "\u00e9"]},
    }
    binary = {f"ce-{name}": str(event[name]) for name in ("specversion", "id", "source", "type")}
    path = "/v1/cloudevents"
    return [
        *singles,
        Request("/v1/batch", {}, batch),
        Request("/v1/b", {"content-encoding": "gzip"}, gzip.compress(batch, mtime=0)),
        Request(path, {"content-type": "application/cloudevents+json"}, json.dumps(event).encode()),
        Request(
            path,
            {"content-type": "application/cloudevents-batch+json"},
            json.dumps([event, event]).encode(),
        ),
        Request(path, {"content-type": "application/json", **binary}, b'{"user_id":"u"}'),
    ]


def mutated(request: Request, chance: random.Random) -> Request:
    """Return a request some of whose bytes were changed."""
    body = bytearray(request.body)
    for _ in range(chance.choice((1, 1, 1, 2, 4, 16))):
        at = chance.randrange(len(body) + 1)
        end = min(len(body), at + chance.choice((1, 1, 4, 30)))
        match chance.randrange(6):
            case 0:
                body[at:end] = b""
            case 1:
                body[at:at] = chance.choice(_TOKENS)
            case 2:
                body[at:end] = chance.choice(_TOKENS)
            case 3:
                body[at:end] = chance.randbytes(end - at)
            case 4:
                body[at:at] = body[at : at + chance.choice((1, 20, 200))]
            case _:
                body[at:] = b"" if chance.random() < 0.3 else body[at:]
    headers = dict(request.headers)
    if chance.random() < 0.05:
        name = chance.choice(["content-encoding", "content-type", "authorization", "ce-id", "host"])
        headers[name] = chance.choice(["gzip", "", "br", "Basic x", "text/plain", "%ff", "a" * 300])
    return Request(request.path, headers, bytes(body))
