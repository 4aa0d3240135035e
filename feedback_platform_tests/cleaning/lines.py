"""Building raw lines and references for tests of cleaning."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from feedback_platform.cleaning.reading import RawObject, parse_raw_object
from feedback_platform.cleaning.reference import ALL_DEVICES, BEGINNING, Reference, SignalStatistics
from feedback_platform.lake.keys import raw_object

HOUR = datetime(2026, 3, 1, 10, tzinfo=UTC)
KEY = raw_object(HOUR, "web", "1")

# Quartiles 2 and 4, mean 3, deviation 0.5, on the logarithmic scale of views and uses.
REFERENCE = Reference(
    "by-hand",
    BEGINNING,
    100,
    tuple(
        SignalStatistics(signal, ALL_DEVICES, 100, 3.0, 2.5, 2.0, 4.0, 3.0, 0.5, 1.0, 5.0, 0.4)
        for signal in ("view", "use")
    ),
)


def event(event_id: str = "e1", event_type: str = "item_clicked", **fields: Any) -> dict[str, Any]:
    defaults = {"user_id": "u1", "item_id": "i1", "occurred_at": "2026-03-01T09:00:00Z"}
    return {"event_id": event_id, "event_type": event_type} | defaults | fields


def ndjson(*lines: dict[str, Any] | bytes) -> bytes:
    """Lines, each an event or bytes as they are."""
    texts = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    return b"\n".join(texts) + b"\n"


def parsed(*lines: dict[str, Any] | bytes, key: str = KEY) -> RawObject:
    return parse_raw_object(key, ndjson(*lines))
