"""People with devices, aliases and bad events, beside whom others use the platform."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from feedback_platform.lake import keys
from feedback_platform.lake.raw import read_raw_object, rewrite_raw_object, write_raw_object
from feedback_platform.lake.store import Lake

RECEIVED: Final = datetime(2026, 1, 8, 12, tzinfo=UTC)
LEAVING: Final = "person-1-who-leaves"
STAYING: Final = "person-2-who-stays"
# Theirs alone; used by both, first by who leaves; used by both, first by who stays.
OWN_PHONE: Final = "phone-1-of-who-leaves"
HANDED_OVER: Final = "browser-2-handed-over"
THEIR_TABLET: Final = "tablet-3-first-of-who-leaves"
FOREIGN_TABLET: Final = "tablet-4-first-of-who-stays"


def event(event_id: str, minute: int, **fields: Any) -> dict[str, Any]:
    at = f"2026-01-08T09:{minute:02d}:00Z"
    known = {"event_type": "item_viewed", "item_id": "film", "value": 9000.0, "occurred_at": at}
    return {"event_id": event_id, **known, **fields}


def segment(event_id: str, minute: int, name: str, **fields: Any) -> dict[str, Any]:
    message = {
        "type": "track",
        "event": name,
        "messageId": event_id,
        "timestamp": f"2026-01-08T09:{minute:02d}:00Z",
        **fields,
    }
    received = f"2026-01-08T12:{minute:02d}:00Z"
    return {"format": "segment", "received_at": received, "message": message}


# (the line, whether it is of who leaves)
LINES: Final[list[tuple[dict[str, Any] | bytes, bool]]] = [
    (event("e1", 1, anonymous_id=OWN_PHONE), True),
    (event("e2", 2, user_id=LEAVING, anonymous_id=OWN_PHONE), True),
    (event("e3", 3, anonymous_id=HANDED_OVER), True),
    (
        event(
            "e4",
            4,
            event_type="user_aliased",
            user_id=LEAVING,
            properties={"previous_id": HANDED_OVER},
        ),
        True,
    ),
    (event("e5", 5, user_id=LEAVING, anonymous_id=THEIR_TABLET), True),
    (event("e6", 6, user_id=STAYING, anonymous_id=THEIR_TABLET), False),
    (event("e7", 7, anonymous_id=THEIR_TABLET), True),
    (event("e8", 8, user_id=STAYING, anonymous_id=FOREIGN_TABLET), False),
    (event("e9", 9, user_id=LEAVING, anonymous_id=FOREIGN_TABLET), True),
    (event("e10", 10, anonymous_id=FOREIGN_TABLET), False),
    (event("e11", 11, event_type="item_rated", value=99, user_id=LEAVING), True),
    (event("e12", 12, event_type="item_rated", value=99, user_id=STAYING), False),
    (segment("s1", 13, "Never Mapped", userId=LEAVING), True),
    (segment("s2", 14, "Never Mapped", userId=STAYING), False),
    (segment("s3", 15, "Product Viewed", userId=LEAVING, properties={"product_id": "sku"}), True),
    (segment("s4", 16, "Product Viewed", userId=STAYING, properties={"product_id": "sku"}), False),
    (b'{"event_id": "e13", "user_id": "%b", ' % LEAVING.encode(), True),
    (b'{"event_id": "e14", "user_id": "%b", ' % STAYING.encode(), False),
    (event("e15", 17, event_type="item_liked", user_id=STAYING, value=None), False),
    # Two of one event, and one without an id, which gets one from its line.
    (event("e16", 18, user_id=LEAVING), True),
    (event("e16", 18, user_id=LEAVING), True),
    (segment("", 19, "Product Viewed", userId=STAYING, properties={"product_id": "sku"}), False),
]


def lines(*, with_who_leaves: bool = True) -> list[bytes]:
    """The lines; a blank one in the place of each that is of who leaves, if they never came."""
    return [
        b"" if is_leaving and not with_who_leaves else _written(line) for line, is_leaving in LINES
    ]


def land(lake: Lake, *, with_who_leaves: bool = True, name: str = "people") -> list[str]:
    """Land the lines as an object of our own, and what Firehose may hold of them as one of its."""
    written = lines(with_who_leaves=with_who_leaves)
    key = write_raw_object(
        lake, received_at=RECEIVED, source="web", sortable_id=name, ndjson=b"\n".join(written)
    )
    firehose = f"{keys.FIREHOSE}/2026/01/08/12/{name}-1"
    # Events of their own, which the other object does not have.
    renamed = [line.replace(b'"event_id": "e', b'"event_id": "firehose-e') for line in written]
    lake.put(firehose, b"\n".join(renamed), mode="create")
    return [key, firehose]


def without_users(lake: Lake, users: Iterable[str]) -> None:
    """Blank all lines in which one of some simulated users stands, with nothing but JSON."""
    gone = {*users}
    for key in lake.list_keys(keys.RAW):
        content = read_raw_object(lake, key).split(b"\n")
        spared = [b"" if _user_of(line) in gone else line for line in content]
        if spared != content:
            rewrite_raw_object(lake, key, b"\n".join(spared))


def _written(line: dict[str, Any] | bytes) -> bytes:
    if isinstance(line, bytes):
        return line
    is_received = "format" in line
    return json.dumps(line, separators=(",", ":") if is_received else None).encode()


def _user_of(line: bytes) -> str | None:
    try:
        user = json.loads(line).get("user_id")
    except (ValueError, AttributeError):
        return None
    return user if isinstance(user, str) else None
