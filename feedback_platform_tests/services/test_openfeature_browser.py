"""OpenFeature's web SDK with its OFREP provider on a page of another origin, in a real browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from feedback_platform_tests.services.browser import Site, page, site
from feedback_platform_tests.services.flag_questions import (
    ADA_IN_AUSTRIA,
    EXPECTED,
    USERS,
    is_in_rollout,
    publish_flags,
    turn_on,
)
from feedback_platform_tests.services.segment_collector import WRITE_KEY, SegmentCollector

PAGE_SECONDS: Final = 60.0
MODULES: Final = {
    "/core.js": "core/dist/esm/index.js",
    "/web-sdk.js": "web-sdk/dist/esm/index.js",
    "/ofrep-core.js": "ofrep-core/index.esm.js",
    "/ofrep-web-provider.js": "ofrep-web-provider/index.esm.js",
}
TYPES: Final = {
    "switch": "Boolean", "layout": "String", "fans": "String", "price": "Number",
    "limit": "Number", "theme": "Object", "gone": "Boolean", "rollout": "String",
}  # fmt: skip
FALLBACKS: Final[dict[str, Any]] = {"Boolean": True, "String": "x", "Number": 9, "Object": {}}


def files(
    sdks: Path, collector: SegmentCollector, context: dict[str, Any], options: dict[str, Any]
) -> dict[str, bytes]:
    asked = {
        "baseUrl": collector.address,
        "key": WRITE_KEY,
        "context": context,
        "options": options,
        "flags": [
            {"flag": flag, "type": kind, "fallback": FALLBACKS[kind]}
            for flag, kind in TYPES.items()
        ],
    }
    libraries = sdks / "node_modules" / "@openfeature"
    return {
        "/page.html": (sdks / "page.html").read_bytes(),
        "/asked.json": json.dumps(asked).encode(),
        **{path: (libraries / name).read_bytes() for path, name in MODULES.items()},
    }


def outcome(shop: Site) -> dict[str, Any]:
    """What the page says next."""
    assert shop.is_done.wait(PAGE_SECONDS), "the page never came to its end"
    shop.is_done.clear()
    found: dict[str, Any] = json.loads(shop.outcome)
    assert "error" not in found, found
    return found


@pytest.mark.parametrize(
    "options",
    [{"changeDetection": "sse"}, {"changeDetection": "polling", "pollInterval": 300}],
    ids=["stream", "polling"],
)
def test_flags_of_every_type_are_what_was_defined_and_a_change_reaches_the_open_page(
    collector: SegmentCollector, openfeature_sdks: Path, options: dict[str, Any]
) -> None:
    flags = publish_flags(collector)
    pages = files(openfeature_sdks, collector, ADA_IN_AUSTRIA, options)
    with site(pages) as shop, page(f"{shop.address}/page.html"):
        found = outcome(shop)
        assert {
            flag: (found[flag]["value"], found[flag]["reason"], found[flag]["variant"])
            for flag in EXPECTED
        } == EXPECTED
        assert [each for each in found.values() if "errorCode" in each] == []

        turn_on(flags)

        changed = outcome(shop)
        assert (changed["switch"]["value"], changed["switch"]["variant"]) == (True, "on")
        assert changed["layout"] == found["layout"]


@pytest.mark.parametrize("user", USERS[:4])
def test_a_rollout_has_those_whom_the_agreed_hash_puts_in_it(
    collector: SegmentCollector, openfeature_sdks: Path, user: str
) -> None:
    publish_flags(collector)
    pages = files(openfeature_sdks, collector, {"targetingKey": user}, {})
    with site(pages) as shop, page(f"{shop.address}/page.html"):
        found = outcome(shop)["rollout"]
    expected = ("cards", "SPLIT") if is_in_rollout(user) else ("list", "STATIC")
    assert (found["variant"], found["reason"]) == expected
