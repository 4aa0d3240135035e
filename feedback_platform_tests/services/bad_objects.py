"""Raw objects with what goes wrong, of every kind and from every way in."""

from __future__ import annotations

import gzip
import json
from typing import Any, Final

from feedback_platform.events.received import Format, opaque_line
from feedback_platform.lake import keys
from feedback_platform.lake.raw import write_raw_object
from feedback_platform.lake.store import Lake
from feedback_platform_tests.cleaning.lines import HOUR, event, ndjson
from feedback_platform_tests.cleaning.test_bad_rows import BAD_ROWS
from feedback_platform_tests.cleaning.test_reading import NO_OBJECT
from feedback_platform_tests.cleaning.test_received_lines import AT, FIREHOSE, received, track
from feedback_platform_tests.cleaning.test_validation import ACCEPTED

# Where engines might differ: the ends of what a number, a time and a text can be.
_NUMBERS: Final = [0.0, -0.0, 5e-324, 1e-16, 0.1, 1 / 3, 1e15 + 0.3, 2.0**53, 1e22, 1.7e308, -2.5]
_TIMES: Final = [
    "0001-01-01T00:00:00Z",
    "1899-12-31T23:59:59.999999Z",
    "1969-12-31T23:59:59.999999999Z",
    "2026-03-01T10:00:00.0000001+00:00",
    "2026-03-29T02:30:00+01:00",
    "9999-12-31T23:59:59.999999Z",
    "+262142-01-01T00:00:00Z",
]
_DEVICES: Final = ["DESKTOP", "des\u212atop", "Mob\u0130le", "TABLET", "tablet ", "ẞ", "fridge", ""]
# Letters that become others where case does not count, and spaces of other alphabets.
_AGENTS: Final = [
    "Googlebot/2.1",
    "SPIDER",
    "\u017fpider",
    "play\u0175right",
    "bot\u212a-",
    "çurl/",
    "x",
]
_IDS: Final = ["a", "a ", "A", "\u00e9", "e\u0301", "\U0001f600", "\ufffd", "z\u200b", "0", "-0"]
_RECEIVED_LINES: Final = [
    received(track("Product Viewed", {"product_id": "p", "quote": 'q"\\'})),
    received(track("Product List Viewed", {"products": [{"product_id": "a"}, {"name": "b"}]})),
    received(track("Never Heard Of", {})),
    received(track("Product Viewed", {"product_id": "p"}), sent_at="2026-03-01T10:20:05.000Z"),
    received(7, received_at="no time"),
    b'{"format":"event","received_at":' + b"[" * 400 + b"]" * 400 + b',"message":7}',
    received(event("inner", "item_rated", value=9), Format.EVENT),
    received({"specversion": "1.0", "id": "1", "source": "s", "type": "x"}, Format.CLOUDEVENT),
    opaque_line(b"\xff\x00", reason="undecodable_message", field="not JSON", received_at=AT),
    b'{"format":"opaque","bytes":"no base64"}',
    b'{"format":"',
]


def write_bad_objects(lake: Lake) -> int:
    """Put them into the lake; return how many there are."""
    lines: dict[str, list[dict[str, Any] | bytes]] = {
        "reasons": [row.line for row in BAD_ROWS if not row.is_whole_object],
        "accepted": [line | {"event_id": f"a{n}"} for n, line in enumerate(ACCEPTED)],
        "json": [event("before"), *NO_OBJECT.values(), b"", event("after")],
        "agents": [event(agent, properties={"userAgent": agent}) for agent in _AGENTS],
        "numbers": _numbers(),
        "times": _times(),
        "texts": [event(f"{id_}|{name}", device_type=name) for id_ in _IDS for name in _DEVICES],
        "declared": [
            b'{"event_id":"d%d","event_type":"item_clicked","item_id":"i","user_id":"u",' % number
            + b'"properties":{"is_bot"%s:%strue}}' % (space, space)
            for number, space in enumerate((b"", b" ", b"\t", "\u00a0".encode(), b"\x0b"))
        ],
        "duplicates": [
            event("twice", received_at=f"2026-03-01T10:{minute:02}:00Z", item_id=f"i{minute}")
            for minute in (30, 10, 20, 10)
        ],
        "empty": [],
        "received": list(_RECEIVED_LINES),
    }
    for name, content in lines.items():
        write_raw_object(
            lake, received_at=HOUR, source=f"bad-{name}", sortable_id="1", ndjson=ndjson(*content)
        )
    lake.put(keys.raw_object(HOUR, "bad-object", "1"), b"no zstd\n" * 500, mode="create")
    joined = json.dumps(track("Product Viewed", {"product_id": "p"})) + json.dumps(event("joined"))
    firehose = gzip.compress(f"{joined}\n{{broken\n".encode())
    lake.put(FIREHOSE, firehose, mode="create")
    return len(lines) + 2


def _numbers() -> list[dict[str, Any] | bytes]:
    lines: list[dict[str, Any] | bytes] = []
    for kind in ("item_viewed", "item_used", "item_rated", "item_clicked", "item_converted"):
        for number in _NUMBERS:
            lines += [
                event(f"{kind}{number}", kind, value=number),
                event(f"{kind}-{number}", kind, value=number, propensity=number, position=number),
            ]
    return lines


def _times() -> list[dict[str, Any] | bytes]:
    return [
        event(f"{occurred}/{sent}", occurred_at=occurred, sent_at=sent, received_at=AT)
        for occurred in (*_TIMES, None)
        for sent in (*_TIMES, None)
    ]
