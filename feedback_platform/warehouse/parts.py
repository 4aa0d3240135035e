"""How a published table that grows for ever is cut: by month, and large months by day.

When something in it changes, a part is written again, so parts have to be small. But a reader opens
them all, so there must not be thousands: ratings of twenty years are a few hundred months of little
each. What is only added to a part is one more file of it, until there are a few.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from feedback_platform.warehouse.layered import layers_taken_up

# A month with more rows than this is cut by day, and stays so.
MONTH_ROWS: Final = 100_000
# A part to which rows are added has no more files than these.
FILES_OF_A_PART: Final = 3


@dataclass(frozen=True, order=True)
class Part:
    """The rows from the beginning of a day to that of another.

    Attributes:
        label: `2026-03` or `2026-03-01`; that of a month begins those of its days.
        begin: its first day.
        end: the first day behind it.
    """

    label: str
    begin: date
    end: date


def month_of(day: date) -> Part:
    """Return the month that a day lies in."""
    begin = day.replace(day=1)
    return Part(begin.isoformat()[:7], begin, (begin + timedelta(days=31)).replace(day=1))


def day_part(day: date) -> Part:
    """Return a day as a part of its own."""
    return Part(day.isoformat(), day, day + timedelta(days=1))


def months_in_question(changed: Iterable[date], kept: Collection[str]) -> list[Part]:
    """Return the months whose rows have to be counted before `parts_to_write` can tell.

    Args:
        changed: the days on which a row came, went or became another.
        kept: labels of the parts that there are.
    """
    by_day = _months_by_day(kept)
    return sorted({month for day in changed if (month := month_of(day)).label not in by_day})


def parts_to_write(
    changed: Iterable[date], kept: Collection[str], rows_by_month: Mapping[str, int]
) -> list[Part]:
    """Return which parts have to be written, in order.

    Args:
        changed: the days on which a row came, went or became another.
        kept: labels of the parts that there are.
        rows_by_month: how many rows the months in question have now, by label.
    """
    by_day = _months_by_day(kept)
    parts = set()
    for day in changed:
        month = month_of(day)
        if month.label in by_day:
            parts.add(day_part(day))
        elif rows_by_month[month.label] <= MONTH_ROWS:
            parts.add(month)
        else:
            parts |= _days_of(month)
    return sorted(parts)


def files_taken_up(files: Sequence[int], new: int) -> int:
    """Return how many of the newest files of a part one with added rows takes up.

    Args:
        files: rows of each, the oldest first.
        new: how many rows were added.
    """
    taken = layers_taken_up(files, new)
    return taken if len(files) - taken < FILES_OF_A_PART else len(files)


def _months_by_day(kept: Collection[str]) -> set[str]:
    """Return the labels of the months that are cut by day."""
    return {month for month, _, day in (label.rpartition("-") for label in kept) if "-" in month}


def _days_of(month: Part) -> set[Part]:
    return {
        day_part(month.begin + timedelta(days=n)) for n in range((month.end - month.begin).days)
    }
