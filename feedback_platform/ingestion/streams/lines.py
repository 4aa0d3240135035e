"""The received lines of a stream's messages, and the time at which each was received."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from feedback_platform.events.received import Format, opaque_line, opened_line
from feedback_platform.ingestion.streams.partition import Message, StreamPartition
from feedback_platform.ingestion.streams.pieces import Piece

# Under which cleaning puts aside what could not be decoded.
UNDECODABLE: Final = "undecodable_message"

# What the lines of one message may take together: a little for any message, and so many times its
# own size, up to a bound. `{}` is two bytes and its line two hundred, so without it the object of a
# full buffer could become larger than can be read.
SMALL_BYTES: Final = 4 << 10
GROWTH: Final = 32
MOST_BYTES: Final = 256 << 20

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR: Final = 3_600_000
# Where `opened_line` and `opaque_line` put it: behind the format, before all that was sent.
_RECEIVED_AT: Final = re.compile(rb'\A(\{"format":"[a-z]+"),"received_at":"[^"]*"')


def received_times(
    messages: Iterable[Message], *, claimed_at: int, not_before: int = 0
) -> list[int]:
    """Return when the broker received each message of one object, as well as can be told.

    It received them in the order of their positions, so the times never fall. A message without a
    time, or with one that is still to come, counts as received with the one before it; the first
    of an object then counts as received when the object was claimed.

    Args:
        messages: of one partition, by position.
        claimed_at: milliseconds since 1970.
        not_before: when the object's first message was received, if that is known already.

    Returns:
        Milliseconds since 1970: the same ones for the same messages and claim.
    """
    times: list[int] = []
    newest = not_before
    for message in messages:
        is_sane = 0 < message.timestamp <= claimed_at
        newest = max(newest, message.timestamp) if is_sane else newest or claimed_at
        times.append(newest)
    return times


def within_one_hour(times: Sequence[int]) -> int:
    """Return how many times, from the first on, lie in the hour of the first."""
    hour = times[0] // _HOUR
    if times[-1] // _HOUR == hour:
        return len(times)
    return next(count for count, time in enumerate(times) if time // _HOUR != hour)


def as_datetime(milliseconds: int) -> datetime:
    """Return the UTC instant so many milliseconds after the beginning of 1970."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def lines_of(
    partition: StreamPartition, message: Message, received_at: int, pieces: Sequence[Piece]
) -> list[bytes]:
    """Return the received lines of one message, each with its line break."""
    at = _written(received_at)
    base = partition.fallback_id(message.position)
    if len(pieces) == 1:
        return [_line(pieces[0], at, partition.stream, base)]
    return [
        _line(piece, at, partition.stream, f"{base}-{number}")
        for number, piece in enumerate(pieces)
    ]


def is_too_much(lines: Sequence[bytes], message: Message) -> bool:
    """Return whether the lines of a message take more room than one message may."""
    allowed = SMALL_BYTES + min(GROWTH * len(message.value or b""), MOST_BYTES)
    return sum(map(len, lines)) > allowed


def contents(ndjson: bytes) -> set[bytes]:
    """Return what received lines say, whenever it was received.

    The lines stay the bytes that they are: what was read may be too deep to be written again.
    """
    return {_RECEIVED_AT.sub(rb"\1", line) for line in ndjson.splitlines()}


def _line(piece: Piece, received_at: str, source: str, fallback_id: str) -> bytes:
    content, problem = piece
    if problem is None:
        opened = opened_line(
            Format.EVENT, received_at=received_at, source=source, fallback_id=fallback_id
        )
        return opened + content + b"}\n"
    line = opaque_line(
        content,
        reason=UNDECODABLE,
        field=problem,
        received_at=received_at,
        source=source,
        fallback_id=fallback_id,
    )
    return line + b"\n"


@lru_cache(maxsize=4096)
def _written(milliseconds: int) -> str:
    return f"{as_datetime(milliseconds):%Y-%m-%dT%H:%M:%S.%fZ}"
