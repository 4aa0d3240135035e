"""Segment's browser library on a page of another origin, in a real browser."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Final

import pytest

from feedback_platform_tests.services.browser import page, site
from feedback_platform_tests.services.segment_collector import WRITE_KEY, SegmentCollector
from feedback_platform_tests.serving.running import stored_lines

PAGE_SECONDS: Final = 60.0
# What a visitor does, in the library's own words.
CALLS: Final[list[list[Any]]] = [
    ["page", "Shop", "Front"],
    ["track", "Product Clicked", {"product_id": "lamp", "position": 2}],
    ["identify", "ada", {"plan": "pro", "name": "Zoë 💡"}],
    ["track", "Product Viewed", {"product_id": "lamp", "position": 3}],
    ["track", "Product Reviewed", {"product_id": "lamp", "rating": 4.5}],
    ["group", "acme", {"industry": "film"}],
]
COLUMNS: Final = ["event_type", "user_id", "anonymous_id", "item_id", "value", "position"]


@pytest.mark.parametrize("strategy", ["standard", "batching"])
def test_what_a_page_sends_becomes_interactions(
    collector: SegmentCollector, segment_sdks: Path, strategy: str
) -> None:
    library = segment_sdks / "node_modules/@segment/analytics-next/dist/umd"
    asked = {
        "host": collector.address,
        "writeKey": WRITE_KEY,
        "strategy": strategy,
        "calls": CALLS,
    }
    files = {
        "/page.html": (segment_sdks / "page.html").read_bytes(),
        "/calls.json": json.dumps(asked).encode(),
        **{f"/{path.name}": path.read_bytes() for path in library.glob("*.js")},
    }

    with site(files) as shop, page(f"{shop.address}/page.html"):
        assert shop.is_done.wait(PAGE_SECONDS), "the page never came to its end"
        assert json.loads(shop.outcome) == []
        await_lines(collector, len(CALLS))

    found = collector.interactions(COLUMNS)
    devices = set(found["anonymous_id"])
    assert len(devices) == 1
    (device,) = devices
    # What she did before she was known is hers, too.
    assert found.rows() == [
        ("page_viewed", "ada", device, None, None, None),
        ("item_clicked", "ada", device, "lamp", None, 2),
        ("user_updated", "ada", device, None, None, None),
        ("item_viewed", "ada", device, "lamp", None, 3),
        ("item_rated", "ada", device, "lamp", 4.5, None),
        ("user_updated", "ada", device, None, None, None),
    ]


def await_lines(collector: SegmentCollector, count: int) -> None:
    """What the library sends when its page is left arrives when nobody waits for it any more."""
    deadline = time.monotonic() + PAGE_SECONDS
    while len(stored_lines(collector.installation.settings)) < count:
        assert time.monotonic() < deadline, "not everything arrived"
        time.sleep(0.05)
