"""The raw objects of one partition: buffered, claimed, written, and forgotten once stored."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, takewhile
from typing import Final

from feedback_platform.errors import (
    InvalidInputError,
    LakeObjectExistsError,
    LakeUnavailableError,
)
from feedback_platform.ingestion.streams.claims import Claim, Claims
from feedback_platform.ingestion.streams.lines import (
    as_datetime,
    contents,
    is_too_much,
    lines_of,
    received_times,
    within_one_hour,
)
from feedback_platform.ingestion.streams.partition import Message, StreamPartition, short_digest
from feedback_platform.ingestion.streams.pieces import Decoder, Piece
from feedback_platform.lake import keys
from feedback_platform.lake.batches import OVERLAP
from feedback_platform.lake.raw import announce_backfill, read_raw_object, write_raw_object
from feedback_platform.lake.store import Lake

MAX_MESSAGES: Final = 20_000
MAX_BYTES: Final = 8 << 20
# A consumer that was believed dead asks how far the partition was stored before it writes, and so
# needs no old claim to be stopped. They are kept for the rest: positions that somebody set back by
# hand, or that the broker lost with its disk, lead through the same objects again.
KEPT_CLAIMS: Final = 1000
KEPT_SECONDS: Final = 3600.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Written:
    """What one raw object holds.

    Attributes:
        messages: number of messages in it.
        undecodable: number of its lines that could not be decoded.
        bytes: size of its lines.
    """

    messages: int
    undecodable: int
    bytes: int


class PartitionWriter:
    """Turns the messages of one partition into raw objects.

    Nothing but memory is touched by `add`. To store what was added: `claim` a range, make sure that
    the partition was not stored beyond it (a consumer that lost the partition without noticing
    would learn it here, while whoever took over still follows the same claim), `write` the object,
    store the position, `settle`. Each step may fail and be repeated, by this process or another.
    """

    def __init__(
        self,
        lake: Lake,
        partition: StreamPartition,
        decode: Decoder,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self.partition = partition
        self.waiting_since: float | None = None
        self._lake = lake
        self._decode = decode
        self._clock = clock
        self._claims = Claims(lake, partition)
        self._claim: Claim | None = None
        self._messages: deque[Message] = deque()
        self._bytes = 0
        self._reached = -1
        self._is_opened = False
        self._settled: deque[tuple[float, int]] = deque()

    def add(self, message: Message) -> None:
        """Take the next message."""
        if not self._messages:
            self.waiting_since = time.monotonic()
        self._messages.append(message)
        self._bytes += len(message.value or b"")
        self._reached = message.position

    def reach(self, position: int) -> None:
        """Take notice that there is no message up to a position but those that were added."""
        self._reached = max(self._reached, position)

    @property
    def buffered(self) -> int:
        """How many messages wait to be stored."""
        return len(self._messages)

    @property
    def buffered_bytes(self) -> int:
        """The size of the messages that wait to be stored."""
        return self._bytes

    @property
    def settled_position(self) -> int:
        """All before it is stored or was never there, as far as this process knows."""
        return self._messages[0].position if self._messages else self._reached + 1

    @property
    def first_position(self) -> int:
        """The position of the first message that waits; there has to be one."""
        return self._messages[0].position

    @property
    def is_full(self) -> bool:
        """Whether what waits fills an object, and may be claimed."""
        is_enough = len(self._messages) >= MAX_MESSAGES or self._bytes >= MAX_BYTES
        return is_enough and not self.is_held_up

    @property
    def is_held_up(self) -> bool:
        """Whether another's claim reaches further than the messages that came so far."""
        return self._claim is not None and self._claim.last > self._reached

    def claim(self) -> Claim | None:
        """Return the range to write next, or None where there is nothing to write yet.

        Raises:
            LakeUnavailableError: the store failed; the next call carries on.
        """
        if not self._messages:
            return None
        if self._claim is None:
            self._claim = self._found() or self._made()
        return None if self.is_held_up else self._claim

    def write(self, claim: Claim) -> Written:
        """Store the raw object of a claim, unless it is stored already.

        Raises:
            TransientError: the store or the schema registry failed; the same call carries on.
        """
        messages = list(takewhile(lambda message: message.position <= claim.last, self._messages))
        times = received_times(messages, claimed_at=claim.claimed_at, not_before=claim.received_at)
        lines: list[bytes] = []
        undecodable = 0
        for message, received_at in zip(messages, times, strict=True):
            pieces = self._decode(message.value)
            own = lines_of(self.partition, message, received_at, pieces)
            if is_too_much(own, message):
                pieces = [Piece(message.value or b"", "too many bytes once it is decoded")]
                own = lines_of(self.partition, message, received_at, pieces)
            undecodable += sum(piece.problem is not None for piece in pieces)
            lines += own
        ndjson = b"".join(lines)
        self._put(claim, ndjson)
        return Written(len(messages), undecodable, len(ndjson))

    def settle(self, claim: Claim) -> None:
        """Forget the messages of a claim, since how far they reach was stored."""
        while self._messages and self._messages[0].position <= claim.last:
            self._bytes -= len(self._messages.popleft().value or b"")
        # What follows came later, but when exactly was not kept.
        self.waiting_since = time.monotonic() if self._messages else None
        self._claim = None
        self._settled.append((time.monotonic(), claim.first))
        self._prune()

    def abandon(self) -> None:
        """Forget all messages: the partition was stored beyond them by another consumer."""
        if self._claim is not None and self._claim.is_own:
            self._claims.delete(self._claim.first)
        self._claim = None
        self._is_opened = False
        self._messages.clear()
        self._bytes = 0
        self._reached = -1
        self.waiting_since = None

    def _found(self) -> Claim | None:
        """Return the claim that a predecessor left around the first message, if any did."""
        if self._is_opened:
            return None
        covering, older = self._claims.covering(self.first_position)
        self._settled = deque((time.monotonic(), first) for first in older)
        self._is_opened = True
        return covering

    def _made(self) -> Claim:
        now = int(self._clock().timestamp() * 1000)
        size = 0
        messages: list[Message] = []
        for message in islice(self._messages, MAX_MESSAGES):
            messages.append(message)
            size += len(message.value or b"")
            if size >= MAX_BYTES:
                break
        times = received_times(messages, claimed_at=now)
        last = messages[within_one_hour(times) - 1].position
        return self._claims.made(Claim(messages[0].position, last, times[0], now))

    def _put(self, claim: Claim, ndjson: bytes) -> None:
        partition = self.partition
        received_at = as_datetime(claim.received_at)
        extent = partition.written(claim.first) + partition.written(claim.last)
        sortable_id = partition.incarnation + extent
        try:
            key = self._create(received_at, sortable_id, ndjson)
        except LakeObjectExistsError as error:
            key = error.key
            if not self._holds(key, ndjson):
                # The broker lost messages and gave their positions to others. Both are kept.
                digest = short_digest(ndjson.decode())
                _log.warning(
                    "%s: the messages %d to %d are not those stored before; they are stored too.",
                    partition.label,
                    claim.first,
                    claim.last,
                )
                try:
                    key = self._create(received_at, sortable_id + digest, ndjson)
                except LakeObjectExistsError as again:
                    key = again.key
        if self._is_behind(key):
            announce_backfill(self._lake, partition.source)

    def _create(self, received_at: datetime, sortable_id: str, ndjson: bytes) -> str:
        return write_raw_object(
            self._lake,
            received_at=received_at,
            source=self.partition.source,
            sortable_id=sortable_id,
            ndjson=ndjson,
        )

    def _holds(self, key: str, ndjson: bytes) -> bool:
        """Return whether an object says all that was to be stored; it may say more.

        Whoever reads again from within an object has only the rest of its messages.
        """
        try:
            stored = read_raw_object(self._lake, key)
        except InvalidInputError:
            # Nobody can read it: what it was to say is stored beside it.
            return False
        return stored == ndjson or contents(ndjson) <= contents(stored)

    def _is_behind(self, key: str) -> bool:
        """Return whether the listing of new hours may pass the object by, or soon will."""
        this_hour = self._clock().replace(minute=0, second=0, microsecond=0)
        return keys.hour_of(key) < this_hour - OVERLAP + timedelta(hours=1)

    def _prune(self) -> None:
        oldest = time.monotonic() - KEPT_SECONDS
        while self._settled and (len(self._settled) > KEPT_CLAIMS or self._settled[0][0] < oldest):
            try:
                self._claims.delete(self._settled[0][1])
            except LakeUnavailableError:
                # It only takes room; the next one to settle tries again.
                return
            self._settled.popleft()
