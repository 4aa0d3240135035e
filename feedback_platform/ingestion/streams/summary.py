"""What a consumer tells: now and then while it runs, and at its end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from feedback_platform.ingestion.streams.landing import Landed

REPORT_SECONDS: Final = 10.0
_SHOWN: Final = 8

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StreamSummary:
    """What a consumer did.

    Attributes:
        landed: what it stored.
        seconds: how long it ran.
        lag: how far each of its partitions is behind at the end, by label.
    """

    landed: Landed
    seconds: float
    lag: Mapping[str, int]


class LagReport:
    """A line every ten seconds: how fast, and how far behind.

    Args:
        landed: counts that go on.
        unit: of the lag.
        lag: returns it for each partition, by label; asked when a line is due.
    """

    def __init__(self, landed: Landed, unit: str, lag: Callable[[], Mapping[str, int]]) -> None:
        self._landed = landed
        self._unit = unit
        self._lag = lag
        self._started = self._told = time.monotonic()
        self._told_messages = 0

    def tell_if_due(self) -> None:
        """Write the line if the last one is ten seconds old."""
        now = time.monotonic()
        seconds = now - self._told
        if seconds < REPORT_SECONDS:
            return
        rate = (self._landed.messages - self._told_messages) / seconds
        self._told, self._told_messages = now, self._landed.messages
        self._tell(self._lag(), rate)

    def summary(self) -> StreamSummary:
        """Write the last line; return what was done in all."""
        seconds = time.monotonic() - self._started
        lag = self._lag()
        self._tell(lag, self._landed.messages / seconds if seconds else 0.0)
        return StreamSummary(self._landed, seconds, lag)

    def _tell(self, lag: Mapping[str, int], rate: float) -> None:
        worst = sorted(lag.items(), key=lambda item: (-item[1], item[0]))
        shown = ", ".join(f"{label} {behind:,}" for label, behind in worst[:_SHOWN])
        more = f" and {len(worst) - _SHOWN} more" if len(worst) > _SHOWN else ""
        _log.info(
            "%s messages stored in %s objects, %s undecodable; %s messages/s; lag %s %s%s",
            f"{self._landed.messages:,}",
            f"{self._landed.objects:,}",
            f"{self._landed.undecodable:,}",
            f"{rate:,.0f}",
            f"{sum(lag.values()):,}",
            self._unit,
            f" ({shown}{more})" if worst else "",
        )
