"""Stretches of time as a person writes them: `90 minutes`, `24 hours`, `7 days`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

ACCEPTED: Final = "a text such as '90 minutes', '24 hours' or '7 days'"
# What a window costs follows its length; nothing here waits for more than a year.
LONGEST: Final = timedelta(days=366)

_WRITTEN: Final = re.compile(
    r"(?P<number>\d{1,6}) (?P<unit>minute|hour|day)s?", re.ASCII | re.IGNORECASE
)


def duration(text: object) -> timedelta | None:
    """Return what a text says, or None where it says none between a minute and a year."""
    found = _WRITTEN.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    length = timedelta(**{f"{found['unit'].lower()}s": int(found["number"])})
    return length if timedelta(minutes=1) <= length <= LONGEST else None


def written(length: timedelta) -> str:
    """Return a stretch of time in the largest unit that it is a whole number of."""
    minutes = round(length / timedelta(minutes=1))
    for unit, size in (("day", 1_440), ("hour", 60)):
        if minutes and minutes % size == 0:
            return _counted(minutes // size, unit)
    return _counted(minutes, "minute")


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
