"""What stands in the place of erased lines: how many rows each had, and nothing else.

The line keeps its place, so those behind it keep their numbers, by which rows know where they came
from and events without an id of their own get one. It keeps its count, so what was received is
still accounted for.
"""

from __future__ import annotations

import re
from typing import Final

# No sender's event looks like this: it would have an id and a type.
_OPENING: Final = b'{"erased_by_feedback_platform":'
_MARK: Final = re.compile(rb"^" + re.escape(_OPENING) + rb"(\d{1,9})\}$", re.MULTILINE)


def erased_line(rows: int) -> bytes:
    """Return the line that stands for one that had so many rows."""
    return b"%b%d}" % (_OPENING, rows)


def without_erased_marks(content: bytes) -> tuple[bytes, int]:
    """Return lines with a blank one in each place of an erased one, and how many rows those had."""
    if _OPENING not in content:
        return content, 0
    rows = sum(int(count) for count in _MARK.findall(content))
    return _MARK.sub(b"", content), rows


def marked_rows(content: bytes) -> dict[int, int]:
    """Return the numbers of the lines that were erased, and how many rows each had."""
    if _OPENING not in content:
        return {}
    return {
        row: int(found[1])
        for row, line in enumerate(content.split(b"\n"))
        if (found := _MARK.fullmatch(line))
    }
