"""Requests that arrive together become durable together, as one raw object."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Final

from feedback_platform.errors import FeedbackPlatformError, LakeObjectExistsError
from feedback_platform.ingestion.collector.audience import Accepted, Listener
from feedback_platform.ingestion.collector.limits import Limits
from feedback_platform.ingestion.collector.pace import Pace
from feedback_platform.ingestion.collector.refusals import RequestRefusedError
from feedback_platform.lake import keys
from feedback_platform.lake.daemon_threads import DaemonThreads
from feedback_platform.lake.raw import write_raw_object
from feedback_platform.lake.store import Lake

_log = logging.getLogger(__name__)

# What has this size does not wait for more, and takes no more.
_FULL_BYTES: Final = 4 << 20
# Beyond the time for which a sender waits, until what is not durable is given up at the end.
_PARTING_SECONDS: Final = 2.0
_FAILURE_LOG_SECONDS: Final = 10.0
_LATE: Final = "The store does not answer in time; send the events again."


def new_instance(now: datetime) -> str:
    """Return a name for one collector process: when it started, and what nobody else drew."""
    return f"{now:%Y%m%d%H%M%S}{secrets.token_hex(4)}"


class _Group:
    """Lines that become durable together, by the hour received, and who waits for them."""

    def __init__(self) -> None:
        self.lines: defaultdict[datetime, list[bytes]] = defaultdict(list)
        self.waiting: list[asyncio.Future[str | None]] = []
        self.accepted: list[Accepted] = []
        self.size = 0
        self.expiry: asyncio.TimerHandle | None = None

    def settle(self, failure: str | None) -> None:
        """Tell everybody who waits: durable (None), or why not."""
        if self.expiry is not None:
            self.expiry.cancel()
        for waiter in self.waiting:
            if not waiter.done():
                waiter.set_result(failure)
        self.waiting = []


class GroupCommit:
    """Writes what arrives as raw objects of one writer, numbered without a gap.

    Nobody is told that a line is stored before its object is durable. When a write fails,
    everybody who waits for it is told so, nothing is kept, and the number is used again.
    """

    def __init__(
        self, lake: Lake, *, instance: str, limits: Limits, tell: Listener | None = None
    ) -> None:
        """Prepare to write.

        Args:
            lake: where to.
            instance: the name of this process among all writers.
            limits: how much waits, and how long.
            tell: hears of accepted events when they are durable, before their senders do.
        """
        self._lake = lake
        self._tell = tell
        self._source = f"{keys.COLLECTOR}-{instance}"
        self._limits = limits
        self._sequence = 0
        self._groups: deque[_Group] = deque()
        self._held = 0
        self._arrived = asyncio.Event()
        self._hurry = asyncio.Event()
        self._pace = Pace(time.monotonic())
        self._thread = DaemonThreads("collector-writer")
        self._writer: asyncio.Task[None] | None = None
        self._write_began: float | None = None
        self._failed_at: float | None = None
        self._failure_logged_at: float | None = None

    @property
    def held_bytes(self) -> int:
        """How much is not durable yet."""
        return self._held

    @property
    def is_failing(self) -> bool:
        """Whether the store failed a moment ago, or has not answered for too long."""
        now = time.monotonic()
        failed, began = self._failed_at, self._write_began
        return (failed is not None and now - failed < self._limits.retry_after_seconds) or (
            began is not None and now - began > self._limits.wait_seconds
        )

    def start(self) -> None:
        """Begin to write; needs the running event loop."""
        self._writer = asyncio.get_running_loop().create_task(self._write_groups())

    async def stop(self) -> None:
        """Write what has arrived, answer, and end; give up what the store does not take in time."""
        deadline = time.monotonic() + self._limits.wait_seconds + _PARTING_SECONDS
        while self._held and time.monotonic() < deadline:
            self._hurry.set()
            await asyncio.sleep(0.005)
        if self._writer is not None:
            self._writer.cancel()
            with suppress(asyncio.CancelledError):
                await self._writer
        for group in list(self._groups):
            self._expire(group)

    async def store(self, lines: bytes, received_at: datetime) -> None:
        """Take lines and return when they are durable; see `take` and `durable`."""
        await self.durable(self.take(lines, received_at))

    def take(
        self, lines: bytes, received_at: datetime, accepted: Sequence[Accepted] = ()
    ) -> asyncio.Future[str | None]:
        """Count lines as held and have them written; return what `durable` waits for.

        Args:
            lines: received lines, each with its newline.
            received_at: UTC; its hour decides the partition.
            accepted: what is to be told of them when they are durable.

        Raises:
            RequestRefusedError: too much waits already (503). What comes alone always has room.
        """
        if self._held and self._held + len(lines) > self._limits.held_bytes:
            text = "Too much waits for the store; send the events again."
            raise RequestRefusedError.for_now(text, self._limits.retry_after_seconds)
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[str | None] = loop.create_future()
        if not lines:
            waiter.set_result(None)
            return waiter
        if not self._groups or self._groups[-1].size >= _FULL_BYTES:
            self._groups.append(_Group())
            last = self._groups[-1]
            last.expiry = loop.call_later(self._limits.wait_seconds, self._expire, last)
        group = self._groups[-1]
        group.lines[received_at.replace(minute=0, second=0, microsecond=0)].append(lines)
        group.size += len(lines)
        self._held += len(lines)
        group.waiting.append(waiter)
        group.accepted += accepted
        self._arrived.set()
        if group.size >= _FULL_BYTES:
            self._hurry.set()
        return waiter

    async def durable(self, taken: asyncio.Future[str | None]) -> None:
        """Return when lines that were taken are durable.

        Raises:
            RequestRefusedError: the store failed or did not answer in time (503). The lines may be
                stored all the same; the sender sends them again.
        """
        failure = await taken
        if failure is not None:
            raise RequestRefusedError.for_now(failure, self._limits.retry_after_seconds)

    async def _write_groups(self) -> None:
        while True:
            await self._arrived.wait()
            delay = self._pace.delay(time.monotonic())
            if delay > 0:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._hurry.wait(), delay)
            group = self._next_group()
            if group is None:
                # It expired while it lingered.
                continue
            try:
                await self._write(group)
            finally:
                self._held -= group.size

    def _next_group(self) -> _Group | None:
        group = self._groups.popleft() if self._groups else None
        if not self._groups:
            self._arrived.clear()
        if not self._groups or self._groups[0].size < _FULL_BYTES:
            self._hurry.clear()
        return group

    async def _write(self, group: _Group) -> None:
        """Write an object for each hour; whoever waits hears of all of them or of the failure."""
        self._write_began = time.monotonic()
        self._pace.began(group.size, self._write_began)
        try:
            for hour, lines in group.lines.items():
                await self._thread.run(partial(self._write_object, hour, lines))
                self._sequence += 1
        except asyncio.CancelledError:
            _log.error("The store did not answer before the end; what waited was turned away.")
            group.settle(_LATE)
            raise
        except Exception as error:  # noqa: BLE001 - without a writer everybody would wait for ever
            self._failed_at = time.monotonic()
            self._log_failure(error)
            group.settle("The store cannot take events at present; send them again.")
        else:
            self._failed_at = None
            self._tell_of(group.accepted)
            group.settle(None)
        finally:
            self._write_began = None

    def _tell_of(self, accepted: Sequence[Accepted]) -> None:
        if self._tell is None or not accepted:
            return
        try:
            self._tell(accepted)
        except Exception:  # noqa: BLE001 - logged; the events are stored whoever hears of them
            _log.exception("What was stored cannot be told.")

    def _write_object(self, hour: datetime, lines: list[bytes]) -> None:
        ndjson = b"".join(lines)
        while True:
            try:
                write_raw_object(
                    self._lake,
                    received_at=hour,
                    source=self._source,
                    sortable_id=f"{self._sequence:010d}",
                    ndjson=ndjson,
                )
            except LakeObjectExistsError:
                # An earlier write of the number failed for us, not for the store. Or this one met
                # itself, and may not be read back: then the lines are stored twice.
                self._sequence += 1
            else:
                return

    def _expire(self, group: _Group) -> None:
        """Answer those who waited too long; what is not being written yet is forgotten."""
        if group in self._groups:
            self._groups.remove(group)
            self._held -= group.size
        group.settle(_LATE)

    def _log_failure(self, error: Exception) -> None:
        now = time.monotonic()
        last = self._failure_logged_at
        if last is None or now - last >= _FAILURE_LOG_SECONDS:
            self._failure_logged_at = now
            unforeseen = None if isinstance(error, FeedbackPlatformError) else error
            _log.error("Events are turned away: %s", error, exc_info=unforeseen)
