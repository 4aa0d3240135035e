"""How many events a second each sender may send: a token bucket a key."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

from feedback_platform.ingestion.collector.limits import MAX_BATCH_EVENTS
from feedback_platform.ingestion.collector.refusals import RequestRefusedError

_BURST_SECONDS: Final = 2


class RateLimit:
    """Counts events, not requests; a sender who was quiet may send two seconds' worth at once.

    A bucket always has room for the largest batch: a sender who keeps to all limits gets through.
    """

    def __init__(
        self, events_per_second: float | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = events_per_second
        self._clock = clock
        self._size = max(_BURST_SECONDS * (events_per_second or 0), MAX_BATCH_EVENTS)
        # Names come from the settings, so there are as many as keys.
        self._buckets: dict[str | None, tuple[float, float]] = {}

    def take(self, sender: str | None, events: int) -> None:
        """Count a request's events.

        Raises:
            RequestRefusedError: they come too fast (429, with the seconds to wait).
        """
        if self._rate is None:
            return
        now = self._clock()
        level, at = self._buckets.get(sender, (self._size, now))
        level = min(self._size, level + (now - at) * self._rate)
        if level < events:
            self._buckets[sender] = (level, now)
            wait = b"%d" % max(1, math.ceil((events - level) / self._rate))
            # Browsers' libraries read the second one as seconds, too, not as a time of day.
            headers = ((b"retry-after", wait), (b"x-ratelimit-reset", wait))
            text = f"More than {self._rate:g} events a second; try again in {wait.decode()} s."
            raise RequestRefusedError(429, "rate_limited", text, headers)
        self._buckets[sender] = (level - events, now)
