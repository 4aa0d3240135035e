"""Which events have to take effect before they are answered: told by their names alone."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
import pytest

from feedback_platform.events.translation.mapping import DEFAULT_MAPPING
from feedback_platform.ingestion.collector.prompt import Prompt


async def nothing(_lines: bytes, _received_at: datetime) -> None:
    pass


@pytest.fixture
def prompt() -> Prompt:
    return Prompt(nothing, DEFAULT_MAPPING, {"consent_changed"})


@pytest.mark.parametrize(
    ("name", "is_such"),
    [
        ("Consent Updated", True),
        ("consent updated", True),
        ("consent_changed", True),
        ("Product Clicked", False),
        ("nobody mapped this", False),
        (7, False),
        (None, False),
    ],
)
def test_a_name_tells(prompt: Prompt, name: Any, *, is_such: bool) -> None:
    message = {"type": "track", "event": name}
    for _ in range(2):
        assert prompt.is_named(name) is is_such
        assert prompt.is_among([{"event": []}, 1, {"event": "Product Clicked"}, message]) is is_such


@pytest.mark.parametrize("name", ["consent_changed", "com.shop.consent_changed"])
def test_a_cloudevent_may_have_a_prefix(prompt: Prompt, name: str) -> None:
    assert prompt.is_cloudevent({"type": name})
    assert not prompt.is_cloudevent({"type": "com.shop.item_liked"})


def test_only_lines_that_have_to_are_handed_on(prompt: Prompt) -> None:
    said, clicked = (
        orjson.dumps({"format": "segment", "message": {"type": "track", "event": name}}) + b"\n"
        for name in ("Consent Updated", "Product Clicked")
    )
    opaque = orjson.dumps({"format": "opaque", "bytes": ""}) + b"\n"

    assert prompt.lines_of(clicked + said + opaque + b"no JSON\n" + said) == said + said
