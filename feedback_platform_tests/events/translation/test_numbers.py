"""What a user may mean by a number, and what becomes of that which is none."""

from __future__ import annotations

from typing import Any

import pytest

from feedback_platform_tests.events.translation.messages import track, translated


def one(message: dict[str, Any]) -> dict[str, Any]:
    (event,) = translated(message)
    return event


NO_NUMBER = [
    "1_0",
    " 1 ",
    "1e400",
    "nan",
    "Infinity",
    "0x10",
    "5,5",
    "\uff11\uff12",
    True,
    [1],
    {"n": 1},
]


@pytest.mark.parametrize("text", NO_NUMBER)
def test_what_is_no_number_stays_a_property_where_the_type_needs_none(text: Any) -> None:
    properties = {"product_id": "p", "dwell_ms": text, "propensity": text, "position": text}

    event = one(track("Product Viewed", properties))

    assert event["item_id"] == "p"
    assert event["properties"] == {"dwell_ms": text, "propensity": text, "position": text}
    assert not event.keys() & {"value", "position", "propensity"}


@pytest.mark.parametrize("text", NO_NUMBER)
def test_what_is_no_number_is_left_to_the_contract_where_the_type_needs_one(text: Any) -> None:
    event = one(track("Product Reviewed", {"product_id": "p", "rating": text}))

    assert (event["value"], "properties" in event) == (text, False)


def test_a_number_goes_before_what_is_none() -> None:
    event = one(track("Item Rated", {"item_id": "i", "value": "great", "rating": "4.5"}))

    assert (event["value"], event["properties"]) == ("4.5", {"value": "great"})


@pytest.mark.parametrize("text", NO_NUMBER)
@pytest.mark.parametrize("name", ["price", "quantity"])
def test_an_amount_is_reckoned_from_numbers_alone(name: str, text: Any) -> None:
    product = {"product_id": "p", "price": 2, "quantity": 3, name: text}

    event = one(track("Order Completed", {"products": [product], "total": 6}))

    assert event.get("value") == (6.0 if name == "price" else None)
    assert event["properties"][name] == text


@pytest.mark.parametrize("number", [0, 1.5, -1, 87])
def test_a_propensity_that_is_no_chance_stays_a_property(number: float) -> None:
    event = one(track("Product Clicked", {"product_id": "p", "propensity": number}))

    assert event["properties"] == {"propensity": number}


@pytest.mark.parametrize("name", ["position", "dwell_ms"])
def test_an_integer_that_a_field_cannot_hold_stays_a_property(name: str) -> None:
    event = one(track("Product Viewed", {"product_id": "p", name: 2**63 + 1}))

    assert event["properties"] == {name: 2**63 + 1}


def test_a_name_with_nul_stays_a_property() -> None:
    event = one(track("Product Viewed", {"product_id": "p\0", "sku": "s", "placement": "\0"}))

    assert (event["item_id"], event["properties"]) == (
        "s",
        {"product_id": "p\0", "placement": "\0"},
    )
