from __future__ import annotations

from typing import Any

import pytest

from feedback_platform.events.translation.mapping import EventMapping
from feedback_platform.events.translation.mapping_file import parse_mapping
from feedback_platform_tests.events.translation.messages import MADE, RECEIVED, outcome, translated

CLOUDEVENT = "cloudevent"


def cloud_event(kind: Any, data: Any = None, **attributes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": "A234-1234",
        "source": "/shop/web",
        "type": kind,
        "time": "2026-03-01T09:59:58Z",
        "data": {"user_id": "u"} if data is None else data,
    } | attributes


def one(message: dict[str, Any], **facts: Any) -> dict[str, Any]:
    (event,) = translated(message, form=CLOUDEVENT, **facts)
    return event


def test_the_attributes_and_the_data_make_the_event() -> None:
    data = {"user_id": "u", "item_id": "i", "position": 2, "colour": "red"}

    assert one(cloud_event("com.example.item_clicked", data)) == {
        "event_id": "/shop/web#A234-1234",
        "event_type": "item_clicked",
        "user_id": "u",
        "item_id": "i",
        "position": 2,
        "occurred_at": "2026-03-01T09:59:58Z",
        "received_at": RECEIVED,
        "properties": {"colour": "red"},
    }


def test_the_data_goes_before_the_attributes() -> None:
    data = {
        "event_id": "e",
        "event_type": "item_liked",
        "occurred_at": "2026-03-01T09:00:00Z",
        "received_at": "1999-01-01T00:00:00Z",
        "user_id": "u",
        "item_id": "i",
        "properties": {"a": 1},
        "b": 2,
    }

    event = one(cloud_event("item_clicked", data, subject="other"))

    assert (event["event_id"], event["item_id"]) == ("e", "i")
    assert event["occurred_at"] == "2026-03-01T09:00:00Z"
    # These are not the sender's to say.
    assert (event["event_type"], event["received_at"]) == ("item_clicked", RECEIVED)
    assert event["properties"] == {"a": 1, "b": 2}


def test_the_subject_is_the_item_of_a_type_that_needs_one() -> None:
    clicked = one(cloud_event("item_clicked", subject="i9"))
    started = one(cloud_event("session_started", {"user_id": "u", "session_id": "s"}, subject="i9"))

    assert clicked["item_id"] == "i9"
    assert "item_id" not in started


def test_of_two_sources_the_same_id_makes_two_events() -> None:
    ids = {one(cloud_event("item_clicked", source=source))["event_id"] for source in ("/a", "/b")}

    assert ids == {"/a#A234-1234", "/b#A234-1234"}


def test_without_source_or_id_the_event_has_the_id_of_its_line() -> None:
    message = cloud_event("item_clicked")
    del message["id"]

    assert one(message)["event_id"] == MADE
    assert one(message, fallback_id="topic-1-7")["event_id"] == "topic-1-7"


def test_a_name_that_everybody_knows_or_the_user_mapped_is_a_type() -> None:
    text = '[events."shop.film.watched"]\ntype = "item_used"\nitem_id = "film.id"'
    own = EventMapping(parse_mapping(text, origin="mapping.toml"))
    data = {"user_id": "u", "film": {"id": "f"}}

    (mapped,) = translated(cloud_event("shop.film.watched", data), own, CLOUDEVENT)
    known = one(cloud_event("com.example.ProductViewed", {"user_id": "u", "product_id": "p"}))

    assert (mapped["event_type"], mapped["item_id"], mapped["user_id"]) == ("item_used", "f", "u")
    assert mapped["properties"] == {"film": {"id": "f"}}
    assert (known["event_type"], known["item_id"]) == ("item_viewed", "p")


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    (cloud_event("com.example.something_else"), "unmapped_event", "type"),
    (cloud_event(""), "missing_field", "type"),
    (cloud_event(None), "missing_field", "type"),
    (cloud_event({"a": 1}), "invalid_type", "type"),
    (cloud_event("item_clicked", [1]), "invalid_type", "data"),
    (cloud_event("item_clicked", "text"), "invalid_type", "data"),
    (cloud_event("item_clicked", data_base64="AAAA"), "invalid_type", "data_base64"),
]


@pytest.mark.parametrize(("message", "reason", "field"), REFUSED)
def test_a_cloudevent_that_is_no_event_is_refused_by_name(
    message: dict[str, Any], reason: str, field: str
) -> None:
    assert outcome(message, form=CLOUDEVENT) == (reason, field)
