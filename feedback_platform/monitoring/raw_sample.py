"""A sample of the newest day of raw objects, read as they lie, without the rules of cleaning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
import pandas as pd

from feedback_platform.errors import PermanentError
from feedback_platform.events import columns as c
from feedback_platform.lake import keys
from feedback_platform.lake.batches import latest_manifest
from feedback_platform.lake.raw import list_raw_objects, read_raw_object
from feedback_platform.lake.store import Lake

WINDOW: Final = timedelta(hours=24)
# A check is no second pass over everything; what is read is spread evenly over the day.
MAX_OBJECTS: Final = 300
MAX_BYTES: Final = 64 << 20
_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, eq=False)
class RawSample:
    """What some raw objects hold.

    Attributes:
        objects: a row an object: raw_object, source, is_readable, lines, json_lines, and
            hours_outside, how far the time of reception of a line lies outside the object's hour.
            Of an object of Firehose, whose records may share a line, only whether it is readable.
        received: raw objects in the window.
        hours: the first and the last hour of the window (UTC), or None when nothing is there.
    """

    objects: pd.DataFrame
    received: int
    hours: tuple[datetime, datetime] | None

    def sources(self) -> pd.DataFrame:
        """Return a row a writer: source, lines, and json_share of them."""
        counted = self.objects.dropna(subset=["lines"]).groupby("source", as_index=False)
        sources = counted[["lines", "json_lines"]].sum()
        sources = sources[sources["lines"] > 0]
        return sources.assign(json_share=sources["json_lines"] / sources["lines"])


def sample_raw(lake: Lake, *, now: datetime) -> RawSample:
    """Read raw objects of the newest 24 hours in which something was received.

    Args:
        lake: where they lie.
        now: UTC; an hour that is ahead of it is not looked at.
    """
    latest = latest_manifest(lake)
    present = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    newest = present
    if latest is not None:
        newest = min(present, datetime.fromisoformat(latest.newest_hour))
    found = list_raw_objects(lake, since=newest - WINDOW + _HOUR, until=present + _HOUR)
    step = max(1, -(-len(found) // MAX_OBJECTS))
    columns = ["raw_object", "source", "is_readable", "lines", "json_lines", "hours_outside"]
    objects = pd.DataFrame(list(_looked_at(lake, found[::-step])), columns=columns)
    hours = [keys.hour_of(key) for key in found]
    return RawSample(objects, len(found), (min(hours), max(hours)) if hours else None)


def _looked_at(lake: Lake, raw_objects: list[str]) -> Iterator[tuple[Any, ...]]:
    read = 0
    for key in raw_objects:
        try:
            content = read_raw_object(lake, key)
        except PermanentError:
            yield key, keys.source_of(key), False, None, None, None
            continue
        read += len(content)
        counts = (None, None, None) if keys.is_firehose(key) else _counts(key, content)
        yield key, keys.source_of(key), True, *counts
        if read > MAX_BYTES:
            return


def _counts(key: str, content: bytes) -> tuple[float, float, float | None]:
    """Return lines, those that hold a JSON object, and the most hours outside of the hour."""
    hour = keys.hour_of(key)
    lines = json_lines = 0
    outside: float | None = None
    for line in content.split(b"\n"):
        if not line.strip():
            continue
        lines += 1
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if not isinstance(value, dict):
            continue
        json_lines += 1
        received = _time(value.get(c.RECEIVED_AT))
        if received is not None:
            away = max(hour - received, received - hour - _HOUR, timedelta(0))
            outside = max(outside or 0.0, away / _HOUR)
    return float(lines), float(json_lines), outside


def _time(text: Any) -> datetime | None:
    try:
        parsed = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return parsed if parsed.tzinfo is not None else None
