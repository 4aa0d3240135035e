"""The time of day, as it is handed to whoever must not read a clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

# Returns now (UTC).
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the present time (UTC)."""
    return datetime.now(UTC)
