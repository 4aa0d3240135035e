"""When a line was received that is no event, as it says itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from feedback_platform.cleaning.typed_columns import RECEIVED_REACH


def received_time(text: Any, hour: datetime) -> datetime:
    """Return the time that a refused line states, or the hour of its object (UTC)."""
    try:
        received_at = datetime.fromisoformat(text).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return hour
    return received_at if abs(received_at - hour) <= RECEIVED_REACH else hour
