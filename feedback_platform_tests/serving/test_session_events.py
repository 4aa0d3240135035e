"""Kept lines as a session's events: as cleaning would have them, without what it refuses."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from feedback_platform.events.translation.mapping import DEFAULT_MAPPING, load_mapping
from feedback_platform.learning.online.records import SessionEvent
from feedback_platform.serving.session_events import SessionLines, UserEvent

RECEIVED = "2026-03-01T10:00:00.000000Z"


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def interpreted(
    message: dict[str, Any], form: str = "segment", **facts: Any
) -> tuple[UserEvent, ...]:
    line = {"format": form, "received_at": RECEIVED, **facts, "message": message}
    return SessionLines(DEFAULT_MAPPING).interpret(orjson.dumps(line))


def track(name: str, /, **properties: Any) -> dict[str, Any]:
    return {
        "type": "track",
        "event": name,
        "userId": "ada",
        "messageId": "m1",
        "properties": properties,
    }


def the_event(found: tuple[UserEvent, ...]) -> SessionEvent:
    (event,) = found
    return event.event


def test_an_event_says_what_was_done_to_which_item_and_when() -> None:
    message = track("Product Reviewed", product_id=7, rating="4.5")
    message["timestamp"] = "2026-03-01T09:59:58Z"

    (found,) = interpreted(message)

    assert found.event_id == "m1"
    assert found.event == SessionEvent("item_rated", "7", 4.5, seconds("2026-03-01T09:59:58Z"))


def test_the_time_is_corrected_by_the_senders_clock_and_never_later_than_it_was_received() -> None:
    message = track("Product Clicked", product_id="a")
    message |= {"timestamp": "2026-03-01T12:00:00Z", "sentAt": "2026-03-01T12:00:05Z"}
    ahead = track("Product Clicked", product_id="a") | {"timestamp": "2026-03-01T12:00:00Z"}

    corrected = the_event(interpreted(message, sent_at=message["sentAt"]))

    assert corrected.at == seconds("2026-03-01T09:59:55Z")
    assert the_event(interpreted(ahead)).at == seconds(RECEIVED)
    assert the_event(interpreted(track("Product Clicked", product_id="a"))).at == seconds(RECEIVED)


@pytest.mark.parametrize(
    "message",
    [
        track("Product List Viewed", products=[{"product_id": "a"}]),
        track("Nobody Mapped This", product_id="a"),
        track("Product Clicked"),
        track("Product Clicked", product_id={"a": 1}),
        track("Product Reviewed", product_id="a"),
        track("Product Reviewed", product_id="a", rating=7),
        track("Product Reviewed", product_id="a", rating="good"),
        track("Product Viewed", product_id="a", dwell_ms=-1),
        track("Product Clicked", product_id="a") | {"timestamp": "yesterday"},
        track("Product Clicked", product_id="a") | {"timestamp": "2026-03-01T10:00:00"},
        track("Product Clicked", product_id="a") | {"timestamp": "2026-03-09T10:00:00Z"},
        {"type": "identify", "userId": "ada"},
    ],
)
def test_what_cleaning_would_put_aside_or_says_nothing_of_an_item_is_no_event(
    message: dict[str, Any],
) -> None:
    assert interpreted(message) == ()


def test_an_order_of_several_products_is_an_event_of_each() -> None:
    products = [{"product_id": "a", "price": 2}, {"product_id": "b", "price": 3, "quantity": 2}]

    found = interpreted(track("Order Completed", products=products))

    assert [(each.event_id, each.event.item_id, each.event.value) for each in found] == [
        ("m1#1", "a", 2.0),
        ("m1#2", "b", 6.0),
    ]


def test_a_cloudevent_and_an_installations_own_names_are_understood(tmp_path: Path) -> None:
    event = {
        "specversion": "1.0",
        "type": "com.example.item_liked",
        "source": "shop",
        "id": "7",
        "data": {"user_id": "ada", "item_id": "a"},
    }
    path = tmp_path / "mapping.toml"
    path.write_text('[events."Film Watched"]\ntype = "item_used"\nitem_id = "film.id"\n')
    line = {"format": "segment", "received_at": RECEIVED}
    watched = orjson.dumps({**line, "message": track("Film Watched", film={"id": "f"})})

    assert the_event(interpreted(event, "cloudevent")).event_type == "item_liked"
    assert the_event(SessionLines(load_mapping(path)).interpret(watched)).item_id == "f"
