"""The lines of a raw object in the terms of the contract: received lines become canonical events.

A line becomes one event or several, or it is refused. Other lines are canonical already and go
through untouched, so an object without received lines never comes here.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from feedback_platform.cleaning.validation import MALFORMED_JSON, TOO_DEEP
from feedback_platform.events import columns as c
from feedback_platform.events.exact_json import read_exactly, write_exactly
from feedback_platform.events.received import OPENING
from feedback_platform.events.translation.mapping import EventMapping
from feedback_platform.events.translation.rules import Event, Refusal
from feedback_platform.events.translation.translation import translate, translate_bare

# Where an opening has a letter that is the first of few other fields.
_TELLING: Final = OPENING.index(b"f")
# One of these is in every message that is neither canonical nor a received line.
_FOREIGN: Final = (b'"type"', b'"specversion"', b'"format"')


class RefusedLine(NamedTuple):
    """A line that is no event.

    Attributes:
        row: its number in the object, from 0.
        reason: under which it is put aside.
        field: what was wrong with it, or None for the whole line.
        received_at: when it was received, as the line says it.
        content: what was received, where the line only carries it; None for the line itself.
    """

    row: int
    reason: str
    field: str | None
    received_at: Any = None
    content: bytes | None = None


@dataclass(frozen=True)
class TranslatedLines:
    """What the lines of a raw object say.

    Attributes:
        ndjson: canonical events, one a line, each with its end.
        rows: the line of the object from which each of them came.
        refused: the other lines.
    """

    ndjson: bytes
    rows: list[int]
    refused: list[RefusedLine]


def holds_received_lines(content: bytes, starts: NDArray[np.int64]) -> bool:
    """Return whether any line of a raw object is a received one.

    Args:
        content: its lines.
        starts: where each of them begins.
    """
    # One sign of each line tells most of the others from them.
    signs = np.frombuffer(content, np.uint8)
    looked_at = starts[starts < len(content) - _TELLING]
    likely = looked_at[signs[looked_at + _TELLING] == OPENING[_TELLING]]
    return any(content.startswith(OPENING, start) for start in likely.tolist())


def holds_foreign_records(content: bytes) -> bool:
    """Return whether a delivery stream's file may hold more than canonical events."""
    return any(mark in content for mark in _FOREIGN)


def translate_lines(
    key: str, content: bytes, mapping: EventMapping, *, is_bare: bool = False
) -> TranslatedLines:
    """Translate what is not canonical yet.

    Args:
        key: of the raw object; an event without an id gets one from it and its line.
        content: its lines.
        mapping: what the names of events mean.
        is_bare: whether messages may stand there without a received line around them.
    """
    texts: list[bytes] = []
    rows: list[int] = []
    refused: list[RefusedLine] = []
    for row, line in enumerate(content.split(b"\n")):
        if not (is_bare or line.startswith(OPENING)):
            if line.strip():
                texts.append(line)
                rows.append(row)
            continue
        if not line.strip():
            continue
        outcome = _translated(f"{key}#{row}", line, mapping)
        if isinstance(outcome, bytes):
            texts.append(outcome)
            rows.append(row)
        elif isinstance(outcome, list):
            texts += outcome
            rows += [row] * len(outcome)
        else:
            refused.append(outcome._replace(row=row))
    return TranslatedLines(b"".join(text + b"\n" for text in texts), rows, refused)


def _translated(
    made_id: str, line: bytes, mapping: EventMapping
) -> bytes | list[bytes] | RefusedLine:
    """Return the JSON of a line's event or events, or its refusal."""
    parsed = _object(line)
    if parsed is None:
        return RefusedLine(0, MALFORMED_JSON, None)
    outcome: list[Event] | Refusal | None
    if line.startswith(OPENING):
        outcome = translate(parsed, mapping, made_id=made_id)
    else:
        outcome = translate_bare(parsed, mapping, made_id=made_id)
        if outcome is None:
            return line
    if isinstance(outcome, Refusal):
        received_at = parsed.get(c.RECEIVED_AT)
        return RefusedLine(0, outcome.reason, outcome.field, received_at, _carried(parsed))
    try:
        texts = [write_exactly(event) for event in outcome]
    except orjson.JSONEncodeError:
        # Read are a thousand levels, written only a quarter of that.
        return RefusedLine(0, TOO_DEEP, c.PROPERTIES, parsed.get(c.RECEIVED_AT))
    return texts


def _object(line: bytes) -> dict[str, Any] | None:
    """Return the JSON object that a line is, or None."""
    try:
        parsed = read_exactly(line)
    except orjson.JSONDecodeError:
        return None
    return parsed if isinstance(parsed, dict) else None


def _carried(line: dict[str, Any]) -> bytes | None:
    """Return the bytes that an opaque line carries, or None where it carries none."""
    encoded = line.get("bytes")
    if not isinstance(encoded, str):
        return None
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
