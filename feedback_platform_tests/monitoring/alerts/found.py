"""Things that are wrong, and a lake in which alerts about them are kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from feedback_platform.monitoring.alerts.book import Alert, Condition, Kind, Severity

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FAILED = Condition(Kind.RUN_FAILURE, "process", "The run 1a2b3c4d failed.", Severity.ERROR)
DRIFT = Condition(Kind.DRIFT, "click_through", "Changed from 0.12 to 0.06.", Severity.WARNING)


def alert(condition: Condition = FAILED, **facts: object) -> Alert:
    return Alert("a1", condition, NOON, **facts)  # type: ignore[arg-type]


class Clock:
    """A clock that somebody sets."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **time: float) -> Callable[[], datetime]:
        self.now += timedelta(**time)
        return self
