"""A received line: what a way in stores of one event before anything of it is understood.

The ways in do not translate. They wrap what came in the line below and make it durable; cleaning
translates it to the canonical event. So what was received stays as it was, and an event that the
contract or the mapping refused can be taken again once they were corrected.

    {"format": "segment", "received_at": "…Z", "message": {…}}

`message` stands last. Beside it a line may have `sent_at` (by the sender's clock), `context` (that
of the batch, for Segment), `source` (the name of the write key, the topic), `fallback_id` (for a
message without an id of its own), `refusal` (`reason` and `field`: it is to be put aside).
An `opaque` line has `bytes` (base64) instead of `message`: what could not be decoded at all.
"""

from __future__ import annotations

import base64
from enum import StrEnum
from typing import Final

import orjson

OPENING: Final = b'{"format":"'


class Format(StrEnum):
    """In whose terms the message of a received line speaks."""

    SEGMENT = "segment"
    CLOUDEVENT = "cloudevent"
    EVENT = "event"
    OPAQUE = "opaque"


def opened_line(form: Format, **facts: object) -> bytes:
    """Return a received line up to its message; the caller adds the message's JSON and `}`.

    Many events share their facts (a batch, a second): they are written once and reused.

    Args:
        form: the format of the message.
        facts: `received_at` and what else is known; those that are None are left out.
    """
    known = {name: fact for name, fact in facts.items() if fact is not None}
    return orjson.dumps({"format": form, **known})[:-1] + b',"message":'


def opaque_line(content: bytes, *, reason: str, field: str | None, **facts: object) -> bytes:
    """Return a whole received line for bytes that could not be decoded.

    Args:
        content: the bytes, whatever they are.
        reason: under which they are put aside.
        field: what was wrong with them, or None.
        facts: `received_at` and what else is known; those that are None are left out.
    """
    known = {name: fact for name, fact in facts.items() if fact is not None}
    refusal = {"reason": reason, "field": field}
    encoded = base64.b64encode(content).decode()
    return orjson.dumps({"format": Format.OPAQUE, **known, "refusal": refusal, "bytes": encoded})
