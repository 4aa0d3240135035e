"""A file of canonical events, one JSON object a line, as another installation exported them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import polars as pl

from feedback_platform.errors import InvalidInputError
from feedback_platform.events import columns as c
from feedback_platform.events.exact_json import read_exactly, write_exactly
from feedback_platform.ingestion.imported import ImportedEvents, imported_events, short_hash
from feedback_platform.ingestion.tables import checked_utf8, read_bytes

# How events without a type, or with one that is no text, are counted; cleaning puts them aside.
WITHOUT_TYPE = "(none)"


def read_events(path: Path) -> ImportedEvents:
    """Read canonical events from an NDJSON file, plain or compressed (`.gz`, `.zst`).

    Events are taken as they are: whether one keeps the contract is for cleaning to say.
    `received_at` and `sent_at` are left out, since the platform receives the events now and their
    sender's clock was corrected when they were first received. An event without an id gets a hash
    of its line, so the same line is the same event. Blank lines are skipped.

    Raises:
        InvalidInputError: the file is missing, damaged or empty, or a line is no JSON object or too
            deep a one.
    """
    content = read_bytes(path)
    checked_utf8(path, content)
    types: list[str] = []
    lines: list[str] = []
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        text = line.strip()
        if not text:
            continue
        event = _event(path, number, text)
        event_type = event.get(c.EVENT_TYPE)
        types.append(event_type if isinstance(event_type, str) else WITHOUT_TYPE)
        lines.append(_written(path, number, event))
    if not lines:
        raise InvalidInputError(f"{path} holds no events; each line must be one JSON object.")
    return imported_events("events", [pl.DataFrame({c.EVENT_TYPE: types, "line": lines})])


def _written(path: Path, number: int, event: dict[str, Any]) -> str:
    try:
        return write_exactly(event).decode()
    except orjson.JSONEncodeError as error:
        raise InvalidInputError(
            f"{path}, line {number}: the event is nested too deeply to be stored. Correct the "
            "line; nothing was imported."
        ) from error


def _event(path: Path, number: int, text: bytes) -> dict[str, Any]:
    try:
        event = read_exactly(text)
    except orjson.JSONDecodeError as error:
        raise InvalidInputError(
            f"{path}, line {number}: the line is not JSON ({error}). "
            "Correct the line; nothing was imported."
        ) from error
    if not isinstance(event, dict):
        raise InvalidInputError(
            f"{path}, line {number}: the line is JSON, but not an object with the fields of an "
            "event. Correct the line; nothing was imported."
        )
    for clock in (c.RECEIVED_AT, c.SENT_AT):
        event.pop(clock, None)
    if event.get(c.EVENT_ID) in (None, ""):
        event[c.EVENT_ID] = f"events-{short_hash(text.decode())}"
    return event
