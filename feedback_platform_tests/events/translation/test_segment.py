"""Expectations by hand, from the examples of Segment's public specification."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from feedback_platform_tests.events.translation.messages import (
    MADE,
    RECEIVED,
    outcome,
    track,
    translated,
)


def one(message: dict[str, Any], **facts: Any) -> dict[str, Any]:
    (event,) = translated(message, **facts)
    return event


def test_a_product_that_was_viewed() -> None:
    event = one(
        track(
            "Product Viewed",
            {
                "product_id": "507f1f77",
                "sku": "G-32",
                "price": 18.99,
                "value": 18.99,
                "position": 3,
            },
            anonymousId="a1",
        ),
        sent_at="2026-03-01T09:59:59.500Z",
    )

    assert event == {
        "event_id": "m1",
        "event_type": "item_viewed",
        "user_id": "u1",
        "anonymous_id": "a1",
        "item_id": "507f1f77",
        "position": 3,
        "occurred_at": "2026-03-01T09:59:58.000Z",
        "sent_at": "2026-03-01T09:59:59.500Z",
        "received_at": RECEIVED,
        # `value` is money here, and no dwell time.
        "properties": {"sku": "G-32", "price": 18.99, "value": 18.99},
    }


NAMES = [
    ("Product Clicked", {"product_id": "p"}, "item_clicked"),
    ("Product Viewed", {"sku": "p"}, "item_viewed"),
    ("Product Added", {"id": "p"}, "item_used"),
    ("Wishlist Product Added to Cart", {"product_id": "p"}, "item_used"),
    ("Product Added to Wishlist", {"product_id": "p"}, "item_liked"),
    ("Product Shared", {"product_id": "p"}, "item_liked"),
    ("Promotion Viewed", {"promotion_id": "p"}, "item_impression"),
    ("Promotion Clicked", {"promotion_id": "p"}, "item_clicked"),
    ("Video Content Started", {"asset_id": "p"}, "item_viewed"),
    ("item_clicked", {"item_id": "p"}, "item_clicked"),
    ("Item Clicked", {"product_id": "p"}, "item_clicked"),
    ("itemDismissed", {"item_id": "p"}, "item_dismissed"),
    ("ITEM-LIKED", {"item_id": "p"}, "item_liked"),
    ("product viewed", {"item_id": "p", "product_id": "other"}, "item_viewed"),
]


@pytest.mark.parametrize(("name", "properties", "event_type"), NAMES)
def test_a_name_of_the_specification_or_of_the_contract_means_a_type(
    name: str, properties: dict[str, Any], event_type: str
) -> None:
    event = one(track(name, properties))

    assert (event["event_type"], event["item_id"]) == (event_type, "p")


def test_each_product_of_a_list_is_an_impression_at_its_place() -> None:
    events = translated(
        track(
            "Product List Viewed",
            {
                "list_id": "hot_deals",
                "category": "Deals",
                "recommendation_id": "r7",
                "products": [
                    {"product_id": "a", "position": 4, "category": "Games"},
                    {"sku": "b", "name": "Uno"},
                    "c",
                    None,
                ],
            },
        )
    )

    assert [(e["event_id"], e.get("item_id"), e["position"]) for e in events] == [
        ("m1#1", "a", 4),
        ("m1#2", "b", 2),
        ("m1#3", "c", 3),
        ("m1#4", None, 4),
    ]
    assert {e["recommendation_id"] for e in events} == {"r7"}
    assert [e["properties"] for e in events] == [
        {"list_id": "hot_deals", "category": "Games"},
        {"list_id": "hot_deals", "category": "Deals", "name": "Uno"},
        {"list_id": "hot_deals", "category": "Deals"},
        {"list_id": "hot_deals", "category": "Deals"},
    ]


def test_each_product_of_an_order_brings_its_price_times_its_quantity() -> None:
    order = {
        "order_id": "50314b8e",
        "total": 27.5,
        "products": [
            {"product_id": "a", "price": 19, "quantity": 2},
            {"product_id": "b", "price": "3.50"},
            {"product_id": "c", "price": "cheap"},
        ],
    }

    events = translated(track("Order Completed", order))

    assert [(e["item_id"], e.get("value")) for e in events] == [
        ("a", 38.0),
        ("b", 3.5),
        ("c", None),
    ]
    assert {e["event_type"] for e in events} == {"item_converted"}
    assert events[1]["properties"] == {"order_id": "50314b8e", "total": 27.5, "price": "3.50"}


@pytest.mark.parametrize(
    ("totals", "value"), [({"revenue": 25, "total": 27.5}, 25.0), ({"total": "27.5"}, 27.5)]
)
def test_an_order_of_one_product_without_a_price_brings_its_total(
    totals: dict[str, Any], value: float
) -> None:
    (listed,) = translated(track("Order Completed", {"products": [{"sku": "a"}], **totals}))
    event = one(track("Order Completed", {"product_id": "a", **totals}))

    assert (
        (listed["item_id"], listed["value"]) == (event["item_id"], event["value"]) == ("a", value)
    )
    assert (listed["event_id"], event["event_id"]) == ("m1#1", "m1")


@pytest.mark.parametrize("properties", [{}, {"products": []}, {"products": None}])
def test_a_list_of_nothing_says_what_is_missing(properties: dict[str, Any]) -> None:
    assert outcome(track("Order Completed", properties)) == ("missing_field", "properties.products")


def test_a_list_that_is_none_is_refused() -> None:
    refused = outcome(track("Product List Viewed", {"products": {"a": 1}}))

    assert refused == ("invalid_type", "properties.products")


@pytest.mark.parametrize(
    "properties",
    [
        {"products": ["p"] * 501},
        {"products": ["p"] * 400, "note": "x" * 3000},
        {"products": ["p"] * 400, "big": 2**70, "note": "x" * 3000},
        {"products": ["p"] * 2, "deep": orjson.loads("[" * 300 + "]" * 300)},
    ],
    ids=["many", "repeated much", "repeated much with a long integer", "cannot be written"],
)
def test_one_message_does_not_become_endlessly_many_bytes(properties: dict[str, Any]) -> None:
    refused = outcome(track("Product List Viewed", properties))

    assert refused == ("too_large", "properties.products")
    assert len(translated(track("Product List Viewed", {"products": ["p"] * 500}))) == 500


def test_a_review_is_a_rating() -> None:
    event = one(track("Product Reviewed", {"product_id": "a", "rating": "5", "review_body": "ok"}))

    assert (event["event_type"], event["value"]) == ("item_rated", "5")
    assert event["properties"] == {"review_body": "ok"}


def test_a_promotions_position_is_a_place_where_it_is_a_name() -> None:
    named = one(track("Promotion Viewed", {"promotion_id": "p", "position": "home_banner_top"}))
    numbered = one(track("Promotion Viewed", {"promotion_id": "p", "position": 2}))

    assert (named["placement"], "position" in named) == ("home_banner_top", False)
    assert (numbered["position"], "placement" in numbered) == (2, False)


def test_a_film_that_was_seen_to_its_end_took_its_length() -> None:
    properties = {"asset_id": "f", "session_id": "player", "position": 90, "total_length": 90}

    event = one(track("Video Content Completed", properties))

    assert (event["event_type"], event["value"]) == ("item_used", 90_000.0)
    # They are those of the player, not of the visit and of a list.
    assert event["properties"] == {"session_id": "player", "position": 90}


def test_an_experiment_that_was_viewed() -> None:
    event = one(
        track("Experiment Viewed", {"experimentId": "e", "variationId": 1, "variationName": "Blue"})
    )

    assert (event["event_type"], event["experiment_id"]) == ("experiment_exposed", "e")
    assert (event["variant"], event["properties"]) == (1, {"variationName": "Blue"})


def test_the_variant_of_a_product_is_not_that_of_an_experiment() -> None:
    product = one(track("Product Viewed", {"product_id": "p", "variant": "black"}))
    tested = one(track("Product Viewed", {"product_id": "p", "variant": "b", "experiment_id": "e"}))

    assert product["properties"] == {"variant": "black"}
    assert (tested["experiment_id"], tested["variant"]) == ("e", "b")


def test_a_survey_that_was_answered() -> None:
    nps = one(track("NPS Survey Answered", {"score": 9, "comment": "good"}))
    other = one(track("Survey Answered", {"survey": "csat", "rating": 4}))

    assert (nps["event_type"], nps["value"]) == ("survey_answered", 9)
    assert nps["properties"] == {"comment": "good", "survey": "nps"}
    assert (other["value"], other["properties"]) == (4, {"survey": "csat"})


def test_consent_comes_from_the_context_of_a_consent_manager() -> None:
    consent = {"categoryPreferences": {"Advertising": False}}

    event = one(track("Segment Consent Preference Updated", context={"consent": consent}))

    assert event["event_type"] == "consent_changed"
    assert event["properties"] == {"consent": consent}


LIFTED = {
    "recommendation_id": "r",
    "position": 2,
    "propensity": 0.25,
    "placement": "home",
    "experiment_id": "e",
    "variant": "b",
    "session_id": "s",
    "value": 1500,
}


def test_canonical_names_among_the_properties_are_fields() -> None:
    event = one(track("Item Viewed", {"item_id": "i", **LIFTED, "colour": "red"}))

    assert {name: event[name] for name in LIFTED} == LIFTED
    assert event["properties"] == {"colour": "red"}
    assert one(track("Item Viewed", {"item_id": "i", "dwell_ms": 7}))["value"] == 7


@pytest.mark.parametrize("position", [0, -1, 1.5, "first", True, [1]])
def test_a_position_that_is_none_stays_a_property(position: Any) -> None:
    event = one(track("Product Clicked", {"product_id": "p", "position": position}))

    assert event["properties"] == {"position": position}


def test_an_identify_updates_the_user() -> None:
    event = one({"type": "identify", "userId": "u", "traits": {"plan": "pro"}})

    assert event == {
        "event_id": MADE,
        "event_type": "user_updated",
        "user_id": "u",
        "received_at": RECEIVED,
        "properties": {"plan": "pro"},
    }


def test_a_group_does_not_overwrite_the_attributes_of_its_member() -> None:
    event = one({"type": "group", "userId": "u", "groupId": "g", "traits": {"name": "Initech"}})

    assert event["event_type"] == "user_updated"
    assert event["properties"] == {"group_id": "g", "group_traits": {"name": "Initech"}}


def test_an_alias_names_both_identities() -> None:
    event = one({"type": "alias", "userId": "new", "previousId": "old"})

    assert (event["event_type"], event["user_id"]) == ("user_aliased", "new")
    assert event["properties"] == {"previous_id": "old"}


@pytest.mark.parametrize("kind", ["page", "screen"])
def test_a_page_or_screen_was_viewed(kind: str) -> None:
    event = one(
        {
            "type": kind,
            "anonymousId": "a",
            "name": "Home",
            "category": "Docs",
            "properties": {"path": "/", "title": "Welcome"},
            "context": {"page": {"path": "/other", "url": "https://example.com/"}},
        }
    )

    assert (event["event_type"], event["anonymous_id"]) == ("page_viewed", "a")
    assert event["properties"] == {
        "name": "Home",
        "category": "Docs",
        "url": "https://example.com/",
        "path": "/",
        "title": "Welcome",
    }


def test_the_context_fills_the_device_the_platform_and_the_visit() -> None:
    event = one(
        track(
            "Product Viewed",
            {"product_id": "p"},
            context={
                "device": {"type": "ios", "model": "iPad13,1"},
                "os": {"name": "iPadOS"},
                "app": {"version": "5.4.5"},
                "sessionId": 1712,
            },
        ),
        context={
            "library": {"name": "analytics-ios"},
            "location": {"country": "DE"},
            "app": {"name": "Initech", "version": "old"},
        },
    )

    assert {
        name: event[name]
        for name in ("device_type", "platform", "app_version", "country", "session_id")
    } == {
        "device_type": "tablet",
        "platform": "iPadOS",
        "app_version": "5.4.5",
        "country": "DE",
        "session_id": 1712,
    }


def test_a_session_among_the_properties_goes_before_that_of_the_context() -> None:
    message = track("Item Clicked", {"item_id": "i", "session_id": "own"}, context={"sessionId": 1})

    assert one(message)["session_id"] == "own"


AGENTS = {
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/126 Safari/537.36": "desktop",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/17.5 Safari/605.1.15": "desktop",
    "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0": "desktop",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Mobile/15E148": "mobile",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) Chrome/126 Mobile Safari/537.36": "mobile",
    "Mozilla/5.0 (Linux; Android 13; SM-X700) Chrome/126 Safari/537.36": "tablet",
    "Mozilla/5.0 (iPad; CPU OS 16_5 like Mac OS X) Mobile/15E148": "tablet",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)": None,
    "curl/8.5.0": None,
}


@pytest.mark.parametrize(("agent", "device"), AGENTS.items())
def test_the_browser_tells_the_kind_of_device(agent: str, device: str | None) -> None:
    event = one(track("Item Clicked", {"item_id": "i"}, context={"userAgent": agent}))

    assert event.get("device_type") == device


def test_the_user_agent_goes_on_in_the_properties_of_what_users_do() -> None:
    context = {"userAgent": "curl/8.5.0", "os": {"name": "Linux"}}
    kept = {"context": {"userAgent": "curl/8.5.0"}}

    assert one(track("Item Clicked", {"item_id": "i"}, context=context))["properties"] == kept
    page = one({"type": "page", "userId": "u", "name": "Home", "context": context})
    assert page["properties"] == {"name": "Home"} | kept
    own = track("Item Clicked", {"item_id": "i", "context": "mine"}, context=context)
    assert one(own)["properties"] == {"context": "mine"}


@pytest.mark.parametrize("agent", [None, "", 7, ["curl"], "x" * 1001])
def test_what_is_no_user_agent_is_left(agent: Any) -> None:
    message = track("Item Clicked", {"item_id": "i"}, context={"userAgent": agent})

    assert "properties" not in one(message)


def test_a_user_agent_is_no_attribute_of_a_user() -> None:
    message = {"type": "identify", "userId": "u", "traits": {"plan": "pro"}}

    event = one(message | {"context": {"userAgent": "curl/8.5.0"}})

    assert event["properties"] == {"plan": "pro"}


@pytest.mark.parametrize(
    ("times", "occurred_at", "sent_at"),
    [
        ({"timestamp": "t"}, "t", "line"),
        ({"timestamp": "t", "originalTimestamp": "o"}, "t", "line"),
        ({"originalTimestamp": "o", "sentAt": "s"}, "o", "line"),
        ({"sentAt": "s"}, "s", "line"),
        ({}, "line", "line"),
    ],
)
def test_when_it_happened_is_the_first_time_that_is_known(
    times: dict[str, str], occurred_at: str, sent_at: str
) -> None:
    event = one({"type": "identify", "userId": "u", **times}, sent_at="line")

    assert (event["occurred_at"], event["sent_at"]) == (occurred_at, sent_at)


def test_a_single_message_brings_its_time_of_sending_unless_it_was_corrected_already() -> None:
    message = {"type": "identify", "userId": "u", "timestamp": "t", "sentAt": "s"}

    assert one(message)["sent_at"] == "s"
    assert "sent_at" not in one(message | {"receivedAt": "r"})


REFUSED: list[tuple[Any, str, str]] = [
    (track("Checkout Started"), "unmapped_event", "event"),
    (track("Product Removed", {"product_id": "p"}), "unmapped_event", "event"),
    (track("x" * 5000), "unmapped_event", "event"),
    (track(None), "missing_field", "event"),
    (track(""), "missing_field", "event"),
    (track(["Product Viewed"]), "invalid_type", "event"),
    (track("Product Viewed", "p"), "invalid_type", "properties"),
    ({"type": "identify", "userId": "u", "traits": []}, "invalid_type", "traits"),
    ({"type": "delete", "userId": "u"}, "unknown_message_type", "type"),
    ({"type": ["track"]}, "unknown_message_type", "type"),
    ({}, "unknown_message_type", "type"),
]


@pytest.mark.parametrize(("message", "reason", "field"), REFUSED)
def test_a_message_that_is_no_event_is_refused_by_name(
    message: Any, reason: str, field: str
) -> None:
    assert outcome(message) == (reason, field)
