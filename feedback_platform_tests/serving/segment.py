"""Messages of Segment's API, and what is expected of the answers."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from feedback_platform_tests.serving.running import Answer, RunningServer

SINGLE: dict[str, dict[str, Any]] = {
    "identify": {"userId": "u1", "traits": {"plan": "pro"}},
    "track": {"userId": "u1", "event": "Product Clicked", "properties": {"product_id": "i1"}},
    "page": {"anonymousId": "a1", "name": "Home"},
    "screen": {"userId": "u1", "name": "Main"},
    "group": {"userId": "u1", "groupId": "g1"},
    "alias": {"userId": "u1", "previousId": "a1"},
}


def message(kind: str = "track", **fields: Any) -> dict[str, Any]:
    return {"type": kind, "messageId": str(uuid4()), **SINGLE[kind], **fields}


def line_of(server: RunningServer, message_id: str) -> dict[str, Any]:
    (found,) = [
        line for line in server.lines() if line.get("message", {}).get("messageId") == message_id
    ]
    return found


def assert_refused(answer: Answer, status: int, *words: str) -> None:
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert set(answer.content) == {"code", "message"}
    for word in words:
        assert word in answer.content["message"]
