"""How much the collector takes: of one message, of one request, of all of them together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# Segment's own limits.
MAX_MESSAGE_BYTES: Final = 32 * 1024
MAX_BATCH_BYTES: Final = 500 * 1024
MAX_BATCH_EVENTS: Final = 2500
MAX_MESSAGE_ID: Final = 100

# Whoever passes on CloudEvents has to take those of up to 64 KB.
MAX_CLOUDEVENT_BYTES: Final = 64 * 1024

# Every line of a batch says when it was sent and in which context. The lines may be this large
# together: half a kilobyte of gzip could otherwise become a gigabyte of them.
MAX_LINES_BYTES: Final = 4 << 20
MAX_SENT_AT: Final = 64

# How deep objects and arrays may lie in one another. The parser takes 1,024 levels, but what comes
# behind it writes 254, and has to write a message wrapped into something of its own.
MAX_DEPTH: Final = 250


@dataclass(frozen=True)
class Limits:
    """What one collector process holds and waits for at most.

    Attributes:
        held_bytes: of bodies not yet made into lines and lines not yet durable; beyond it requests
            are turned away before they are read.
        wait_seconds: for the store, until a sender is told that it does not answer; shorter than
            the ten seconds after which senders give up.
        retry_after_seconds: after which a sender who was turned away may come again.
    """

    held_bytes: int = 64 << 20
    wait_seconds: float = 8.0
    retry_after_seconds: int = 2
