"""Where drift detection left off, and what it has found, in the lake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import orjson
import polars as pl

from feedback_platform.errors import LakeObjectExistsError
from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform.monitoring.drift import DriftEvent, StreamState
from feedback_platform.monitoring.rhythm import Hour

EVENTS_SCHEMA: Final = pl.Schema(
    {
        "stream": pl.String(),
        "method": pl.String(),
        "detected_at": pl.Datetime("us", "UTC"),
        "width": pl.Int64(),
        "before_mean": pl.Float64(),
        "after_mean": pl.Float64(),
        "action": pl.String(),
        "event_id": pl.String(),
    }
)


@dataclass(frozen=True)
class SavedStates:
    """Drift detection up to some time.

    Attributes:
        position: the time up to which the streams were read, in microseconds since 1970 (UTC).
        streams: the state of each stream, by name.
    """

    position: int
    streams: Mapping[str, StreamState]


def load_states(lake: Lake) -> SavedStates:
    """Return where drift detection left off; before the first save, nowhere."""
    content = lake.find(keys.drift_state())
    if content is None:
        return SavedStates(position=0, streams={})
    saved = orjson.loads(content)
    return SavedStates(
        position=saved["position"],
        streams={name: _stream(fields) for name, fields in saved["streams"].items()},
    )


def save(
    lake: Lake,
    states: Mapping[str, StreamState],
    new_events: Sequence[DriftEvent],
    position: int,
) -> None:
    """Store the states after a batch and the changes found in it.

    The events come first. A crash between leaves the old states: the batch is taken again, finds
    the same events under the same ids, and stores none twice.

    Args:
        lake: where to.
        states: all streams, by name, not only those that moved.
        new_events: the changes found since the last save.
        position: the newest batch that the states include.
    """
    keep_events(lake, new_events)
    saved = {
        "position": position,
        "streams": {name: _fields(state) for name, state in states.items()},
    }
    lake.put(keys.drift_state(), orjson.dumps(saved), mode="overwrite")


def keep_events(lake: Lake, events: Sequence[DriftEvent]) -> None:
    """Store changes; one that is there already stays as it is."""
    for event in events:
        with suppress(LakeObjectExistsError):
            lake.put(keys.drift_event(event.event_id), orjson.dumps(asdict(event)), mode="create")


def list_events(lake: Lake) -> pl.DataFrame:
    """Return every change ever found, oldest first, with the columns of `metrics.drift_events`."""
    # A change is rare: there are as many objects as there were retrainings because of one.
    contents = [lake.get(key) for key in lake.list_keys(keys.drift_events())]
    rows = [asdict(_event(content)) for content in contents]
    return pl.DataFrame(rows, schema=EVENTS_SCHEMA).sort("detected_at", "stream", "event_id")


def _fields(state: StreamState) -> dict[str, Any]:
    return {**asdict(state), "hours": [list(hour) for hour in state.hours]}


def _stream(fields: dict[str, Any]) -> StreamState:
    # A state of an earlier release knows no hours.
    hours = tuple(Hour(*hour) for hour in fields.get("hours", ()))
    return StreamState(**{**fields, "blocks": tuple(fields["blocks"]), "hours": hours})


def _event(content: bytes) -> DriftEvent:
    fields = orjson.loads(content)
    detected_at = datetime.fromisoformat(fields["detected_at"])
    return DriftEvent(**{**fields, "detected_at": detected_at})
