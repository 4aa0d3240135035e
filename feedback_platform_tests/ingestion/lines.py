"""Reading back what an importer built, by a JSON parser of its own."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from feedback_platform.ingestion.imported import ImportedEvents
from feedback_platform.lake.raw import list_raw_objects, read_raw_object
from feedback_platform.lake.store import Lake


def events_of(imported: ImportedEvents) -> list[dict[str, Any]]:
    return [json.loads(line) for line in imported.lines]


def of_type(events: Iterable[dict[str, Any]], event_type: str) -> list[dict[str, Any]]:
    return [event for event in events if event["event_type"] == event_type]


def stored_events(lake: Lake) -> list[dict[str, Any]]:
    contents = [read_raw_object(lake, key) for key in list_raw_objects(lake)]
    return [json.loads(line) for content in contents for line in content.splitlines()]
