"""What all endpoints of the collector share: keys, limits, the clock, the way into the lake."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

from starlette.types import Receive, Scope, Send

from feedback_platform.clock import Clock, utc_now
from feedback_platform.ingestion.collector.audience import Audience
from feedback_platform.ingestion.collector.authorisation import WriteKeys
from feedback_platform.ingestion.collector.bodies import Bodies
from feedback_platform.ingestion.collector.group_commit import GroupCommit, new_instance
from feedback_platform.ingestion.collector.limits import Limits
from feedback_platform.ingestion.collector.prompt import Prompt
from feedback_platform.ingestion.collector.rate_limit import RateLimit
from feedback_platform.ingestion.collector.turns import Turns
from feedback_platform.lake.store import Lake

Handler = Callable[[Scope, Receive, Send], Awaitable[None]]


def written_time(at: datetime) -> str:
    """Return a time (UTC) as received lines say it."""
    return at.isoformat(timespec="microseconds")[:26] + "Z"


class Station:
    """The parts of one collector process."""

    def __init__(
        self,
        lake: Lake,
        *,
        write_keys: Mapping[str, str],
        events_per_second: float | None = None,
        limits: Limits | None = None,
        audience: Audience | None = None,
        prompt: Prompt | None = None,
        clock: Clock = utc_now,
    ) -> None:
        limits = limits or Limits()
        instance = new_instance(clock())
        self._clock = clock
        self._instance = instance
        self._numbers = itertools.count()
        self.keys = WriteKeys(write_keys)
        self.rate = RateLimit(events_per_second)
        self.audience = audience
        self.prompt = prompt
        self.commit = GroupCommit(
            lake, instance=instance, limits=limits, tell=audience.tell if audience else None
        )
        self.bodies = Bodies(self.commit, limits)
        self.turns = Turns(limits)

    async def take_effect(self, lines: bytes, received_at: datetime) -> None:
        """Return when what some durable lines say counts already.

        Args:
            lines: those that are to take effect before they are answered.
            received_at: UTC.

        Raises:
            RequestRefusedError: the store failed or did not answer in time (503).
        """
        if self.prompt is not None:
            await self.prompt.take_effect(lines, received_at)

    def now(self) -> tuple[datetime, str]:
        """Return when a request was received, UTC, and the same as a received line says it."""
        now = self._clock()
        return now, written_time(now)

    def new_id(self) -> str:
        """Return an id for a message that came without one."""
        return f"{self._instance}-{next(self._numbers)}"
