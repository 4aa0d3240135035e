"""Segment's own libraries, pointed at the collector: what they were told to send is analysed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from feedback_platform_tests.services.processes import required_command, run
from feedback_platform_tests.services.segment_collector import WRITE_KEY, SegmentCollector

SDK_DIR: Final = Path(__file__).parent / "segment_sdks"
# Ten calls each: 10,000 events.
USERS: Final = 1000
SEND_SECONDS: Final = 300.0

Call = dict[str, Any]
Row = tuple[str, str | None, str | None, str | None, float | None, int | None]
COLUMNS: Final = {
    "event_type": pl.String(),
    "user_id": pl.String(),
    "anonymous_id": pl.String(),
    "item_id": pl.String(),
    "value": pl.Float64(),
    "position": pl.Int64(),
}


def calls_of(user: str) -> list[Call]:
    """What one user of a shop does, in the words of Segment's API."""
    return [
        {"method": "identify", "userId": user, "traits": {"plan": "pro", "name": "Zoë 💡"}},
        {"method": "group", "userId": user, "groupId": "acme", "traits": {"industry": "film"}},
        {"method": "page", "userId": user, "name": "Home", "properties": {"path": "/"}},
        {"method": "screen", "userId": user, "name": "Start", "properties": {"dark": True}},
        {"method": "alias", "userId": user, "previousId": f"before-{user}"},
        {
            "method": "track",
            "userId": user,
            "event": "Product Viewed",
            "properties": {"product_id": "lamp", "name": "Lamp", "price": 20.5, "position": 3},
        },
        {
            "method": "track",
            "anonymousId": f"device-of-{user}",
            "event": "Product Clicked",
            "properties": {"product_id": "lamp", "position": 2},
        },
        {
            "method": "track",
            "userId": user,
            "event": "Product Reviewed",
            "properties": {"product_id": "lamp", "review_id": "r1", "rating": "4.5"},
        },
        {
            "method": "track",
            "userId": user,
            "event": "Product List Viewed",
            "properties": {
                "list_id": "front",
                "products": [
                    {"product_id": "lamp", "position": 1},
                    {"product_id": "sofa", "position": 2},
                    {"product_id": "desk", "position": 3},
                ],
            },
        },
        {
            "method": "track",
            "userId": user,
            "event": "Order Completed",
            "properties": {
                "order_id": f"order-of-{user}",
                "total": 52.75,
                "products": [
                    {"product_id": "lamp", "price": 20.5, "quantity": 2},
                    {"product_id": "desk", "price": 11.75, "quantity": 1},
                ],
            },
        },
    ]


def rows_of(user: str) -> list[Row]:
    """What the platform has to make of it, by hand."""
    device = f"device-of-{user}"
    return [
        ("user_updated", user, None, None, None, None),
        ("user_updated", user, None, None, None, None),
        ("page_viewed", user, None, None, None, None),
        ("page_viewed", user, None, None, None, None),
        ("user_aliased", user, None, None, None, None),
        ("item_viewed", user, None, "lamp", None, 3),
        ("item_clicked", f"anonymous:{device}", device, "lamp", None, 2),
        ("item_rated", user, None, "lamp", 4.5, None),
        ("item_impression", user, None, "lamp", None, 1),
        ("item_impression", user, None, "sofa", None, 2),
        ("item_impression", user, None, "desk", None, 3),
        ("item_converted", user, None, "lamp", 41.0, None),
        ("item_converted", user, None, "desk", 11.75, None),
    ]


@pytest.fixture(params=["python", "node"])
def library(request: pytest.FixtureRequest) -> tuple[str, str]:
    """The command that makes calls with one of the libraries."""
    if request.param == "python":
        return sys.executable, str(SDK_DIR / "send.py")
    installed: Path = request.getfixturevalue("segment_sdks")
    return required_command("node", "nodejs"), str(installed / "send.mjs")


@pytest.mark.parametrize("encoding", ["plain", "gzip"])
def test_ten_thousand_events_become_interactions_of_the_types_they_meant(
    collector: SegmentCollector, library: tuple[str, str], encoding: str, tmp_path: Path
) -> None:
    users = [f"{encoding}-{number}" for number in range(USERS)]
    calls = [call for user in users for call in calls_of(user)]
    (tmp_path / "calls.json").write_text(json.dumps(calls))

    run(
        [*library, str(tmp_path / "calls.json"), collector.address, WRITE_KEY, encoding],
        cwd=tmp_path,
        seconds=SEND_SECONDS,
    )

    assert len(calls) == 10_000
    expected = pl.DataFrame(
        [row for user in users for row in rows_of(user)], schema=COLUMNS, orient="row"
    )
    found = collector.interactions(list(COLUMNS))
    assert_frame_equal(found, expected, check_row_order=False)
