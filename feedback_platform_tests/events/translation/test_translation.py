from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from feedback_platform.events.contract import EVENT_TYPES
from feedback_platform.events.received import Format, opaque_line, opened_line
from feedback_platform.events.translation.mapping import DEFAULT_MAPPING, load_mapping
from feedback_platform.events.translation.mapping_file import MAPPED_FIELDS
from feedback_platform.events.translation.rules import Refusal
from feedback_platform.events.translation.segment import SEGMENT_TYPES
from feedback_platform.events.translation.translation import translate, translate_bare
from feedback_platform.settings import PROJECT_DIR
from feedback_platform_tests.events.translation.messages import (
    MADE,
    RECEIVED,
    outcome,
    track,
    translated,
)

OWN = load_mapping(PROJECT_DIR / "docs" / "event-mapping.toml")
EVENT = "event"


def test_a_canonical_event_stays_as_it_is_and_the_line_says_when_it_was_received() -> None:
    message = {
        "event_id": "e",
        "event_type": "item_clicked",
        "user_id": "u",
        "received_at": "1999-01-01T00:00:00Z",
        "sent_at": "2026-03-01T09:00:00Z",
        "properties": {"a": [1]},
    }

    (event,) = translated(message, form=EVENT, sent_at="line", fallback_id="t-0-7")

    assert event == message | {"received_at": RECEIVED}


@pytest.mark.parametrize("event_id", [None, ""])
def test_an_event_without_an_id_gets_that_of_its_line(event_id: Any) -> None:
    message = {"event_id": event_id, "event_type": "item_clicked"}

    (kept,) = translated(message, form=EVENT, fallback_id="t-0-7", sent_at="line")
    (made,) = translated(message, form=EVENT)

    assert (kept["event_id"], kept["sent_at"], made["event_id"]) == ("t-0-7", "line", MADE)


def test_a_segment_message_in_a_stream_is_translated_as_one() -> None:
    (event,) = translated(track("Product Viewed", {"product_id": "p"}), form=EVENT)
    (canonical,) = translated({"type": "track", "event_type": "item_clicked"}, form=EVENT)

    assert (event["event_type"], event["item_id"]) == ("item_viewed", "p")
    assert canonical["event_type"] == "item_clicked"


def test_an_event_of_a_name_that_the_user_mapped_is_translated() -> None:
    message = {
        "event_id": "e",
        "event_type": "film-starred",
        "user_id": "u",
        "properties": {"film": {"id": "f"}, "stars": 4},
    }

    (event,) = translated(message, OWN, EVENT)
    (unknown,) = translated(message, form=EVENT)

    assert (event["event_id"], event["event_type"]) == ("e", "item_rated")
    assert (event["item_id"], event["value"]) == ("f", 4)
    assert unknown["event_type"] == "film-starred"  # which the contract refuses by name


def test_a_way_in_may_refuse_what_it_received() -> None:
    line = orjson.loads(
        opaque_line(b"\xff", reason="too_large", field="body", received_at=RECEIVED)
    )
    refused = {"format": "segment", "message": track("Product Viewed"), "refusal": {"reason": "x"}}

    assert translate(line, DEFAULT_MAPPING, made_id=MADE) == ("too_large", "body")
    assert translate(refused, DEFAULT_MAPPING, made_id=MADE) == ("x", None)
    assert translate({"format": "opaque"}, DEFAULT_MAPPING, made_id=MADE) == ("refused", None)


def test_the_line_that_a_way_in_opened_is_read() -> None:
    message = orjson.dumps(track("Product Viewed", {"product_id": "p"}))
    line = opened_line(Format.SEGMENT, received_at=RECEIVED, sent_at=None) + message + b"}"

    outcome = translate(orjson.loads(line), DEFAULT_MAPPING, made_id=MADE)

    assert isinstance(outcome, list)
    assert outcome[0]["item_id"] == "p"


@pytest.mark.parametrize(
    ("line", "refusal"),
    [
        ({"format": "xml", "message": {}}, ("unknown_format", "format")),
        ({"format": "segment"}, ("missing_field", "message")),
        ({"format": "segment", "message": [1]}, ("invalid_type", "message")),
    ],
)
def test_a_line_that_is_none_is_refused(line: dict[str, Any], refusal: tuple[str, str]) -> None:
    assert translate(line, DEFAULT_MAPPING, made_id=MADE) == refusal


def test_a_bare_message_is_recognised_by_what_it_has() -> None:
    def types(message: dict[str, Any]) -> Any:
        found = translate_bare(message, DEFAULT_MAPPING, made_id=MADE)
        return found and [event["event_type"] for event in found if isinstance(event, dict)]

    cloud_event = {"specversion": "1.0", "type": "item_liked", "data": {}}
    assert types(track("Product Viewed")) == ["item_viewed"]
    assert types(cloud_event) == ["item_liked"]
    assert types({"format": "event", "message": {"event_type": "item_used"}}) == ["item_used"]
    assert types({"event_type": "item_used", "type": "track"}) is None
    assert types({"format": "A4"}) is None


# Names that mean something somewhere, in all the wrong places, beside anything at all.
NAMES = st.sampled_from(
    [
        *("type", "event", "userId", "anonymousId", "messageId", "timestamp", "sentAt", "traits"),
        *("properties", "context", "products", "product_id", "rating", "price", "quantity", "os"),
        *("device", "library", "app", "page", "userAgent", "sessionId", "data", "source", "id"),
        *("specversion", "subject", "film", "stars", "event_type", "name", "location", "total"),
        *MAPPED_FIELDS,
    ]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=8)
    | st.sampled_from(
        [
            *SEGMENT_TYPES,
            *EVENT_TYPES,
            *("Product List Viewed", "Order Completed", "Product Viewed", "Film Watched"),
            *("Experiment Viewed", "Shelf Shown", "Debug Ping", "com.example.item_rated"),
            *("Promotion Viewed", "9", "1e400", "ios", "segment", "cloudevent"),
        ]
    )
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=8),
    max_leaves=20,
)
MESSAGES = st.dictionaries(NAMES, JSON, max_size=10)
FORMS = st.sampled_from([*Format, "none"])


@given(message=MESSAGES | JSON, form=FORMS, facts=st.dictionaries(NAMES, JSON, max_size=3))
@example(message={"type": [], "event": {}}, form="segment", facts={})
@example(message={"type": {}, "data": {"item_id": []}, "subject": 1}, form="cloudevent", facts={})
def test_whatever_is_received_gives_events_or_a_refusal(
    message: Any, form: str, facts: dict[str, Any]
) -> None:
    line = {"format": form, **facts, "context": message, "message": message}
    before = orjson.dumps(line)

    outcome = translate(line, OWN, made_id=MADE)

    if isinstance(outcome, Refusal):
        assert isinstance(outcome.reason, str)
        assert outcome.field is None or isinstance(outcome.field, str)
    else:
        assert outcome
        for event in outcome:
            assert orjson.loads(orjson.dumps(event)) == event
        ids = [event["event_id"] for event in outcome]
        if isinstance(ids[0], str):
            assert len(set(ids)) == len(ids)
    # Nothing is changed in place, and the same line gives the same again.
    assert orjson.dumps(line) == before
    assert translate(line, OWN, made_id=MADE) == outcome


@given(kind=st.sampled_from(sorted(SEGMENT_TYPES)), properties=st.dictionaries(NAMES, JSON))
def test_every_property_of_a_message_is_a_field_or_still_a_property(
    kind: str, properties: dict[str, Any]
) -> None:
    found = outcome(
        {"type": kind, "event": "Product Viewed", "properties": properties, "userId": "u"}
    )
    if isinstance(found, Refusal) or kind not in {"track", "page", "screen"}:
        return
    (event,) = found
    kept = event.get("properties", {})
    values = [orjson.dumps(value) for name, value in event.items() if name != "properties"]
    for name, value in properties.items():
        assert kept.get(name, object()) == value or orjson.dumps(value) in values
