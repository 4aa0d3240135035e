"""What the server itself has to say of users: lines that go the way of all events.

An answer never waits for the disk. While the lake fails, the answers go out and their lines are
lost; how many is counted, and said in the log.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import orjson

from feedback_platform.events.received import Format, opened_line
from feedback_platform.ingestion.collector.refusals import RequestRefusedError
from feedback_platform.ingestion.collector.station import Station
from feedback_platform.lake.tombstones import ANONYMOUS

_log = logging.getLogger(__name__)

# Not durable yet; what senders wait for has the rest of the writer's room.
_MOST_WAITING_BYTES: Final = 16 << 20
_LOG_SECONDS: Final = 10.0


def _nobody_cares() -> None:
    pass


class OwnEvents:
    """Hands messages of one kind to the collector's writer.

    Attributes:
        logged: how many are durable.
        lost: how many are not, and never will be.
    """

    def __init__(self, station: Station, *, source: str, what: str) -> None:
        """Prepare to hand over.

        Args:
            station: of the collector.
            source: by which received lines name who said it.
            what: is said, for the log: the beginning of a sentence.
        """
        self._station = station
        self._source = source
        self._what = what
        self._waiting_bytes = 0
        self._told_at: float | None = None
        self.logged = 0
        self.lost = 0

    def say(
        self,
        message: Mapping[str, Any],
        user_id: str,
        now: tuple[datetime, str],
        on_loss: Callable[[], None] = _nobody_cares,
    ) -> None:
        """Have a message stored. It returns at once, and never fails.

        Args:
            message: a Segment message without its user and time, its own id included.
            user_id: as the layers have it, `anonymous:DEVICE` for a device of nobody known.
            now: as the station says it.
            on_loss: called when the message is lost, on the event loop.
        """
        at, received_at = now
        is_anonymous = user_id.startswith(ANONYMOUS)
        owner = {"anonymousId" if is_anonymous else "userId": user_id.removeprefix(ANONYMOUS)}
        opening = opened_line(Format.SEGMENT, received_at=received_at, source=self._source)
        content = orjson.dumps({**message, **owner, "timestamp": received_at})
        line = opening + content + b"}\n"
        if self._waiting_bytes + len(line) > _MOST_WAITING_BYTES:
            self._lose("too many wait for the store", on_loss)
            return
        try:
            taken = self._station.commit.take(line, at)
        except RequestRefusedError as refusal:
            self._lose(str(refusal), on_loss)
            return
        self._waiting_bytes += len(line)
        taken.add_done_callback(lambda done: self._settle(done, len(line), on_loss))

    def _settle(
        self, done: asyncio.Future[str | None], size: int, on_loss: Callable[[], None]
    ) -> None:
        self._waiting_bytes -= size
        failure = "the server stops" if done.cancelled() else done.result()
        if failure is None:
            self.logged += 1
        else:
            self._lose(failure, on_loss)

    def _lose(self, why: str, on_loss: Callable[[], None]) -> None:
        self.lost += 1
        on_loss()
        now = time.monotonic()
        if self._told_at is None or now - self._told_at >= _LOG_SECONDS:
            self._told_at = now
            _log.error("%s are lost, %d so far: %s", self._what, self.lost, why)
