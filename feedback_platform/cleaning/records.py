"""The records of a delivery stream's file, one a line: Firehose joins them as they were sent.

A record may reach over several lines, and the next one may follow it directly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import orjson

from feedback_platform.cleaning.braces import Objects

# Two objects with nothing between them: never within JSON, so here one record ends.
_JOINT: Final = re.compile(rb"\}[ \t\r]*(?=\{)")
# Where else a broken record ends: before a line that does not look like the inside of an object.
_RESUMPTION: Final = re.compile(_JOINT.pattern + rb"|\n(?![ \t\r\n}\]])")
# Up to a place of a file, so many times what stands before it may be read for where broken objects
# end, in vain. Beyond that they end with their line, or where the next record begins.
_TIMES: Final = 8
_BLANKS: Final = re.compile(rb"[ \t\r]*")


def one_record_a_line(content: bytes) -> bytes:
    """Return the content with every record on a line of its own.

    What is no JSON stays together with nothing but itself, as far as that can be told: a record
    that was cut short does not cost those behind it.
    """
    return content if _is_tidy(content) else b"\n".join(Records(content))


def _is_tidy(content: bytes) -> bool:
    """Return whether each line begins and ends as an object does: then none reaches further."""
    breaks = content.count(b"\n") - content.endswith(b"\n")
    return content.count(b"}\n{") == breaks and _JOINT.search(content) is None


class Records:
    """The records of a file in their order, and what is none between them, as a line each."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._records = Objects(content, is_strict=True)
        self._objects = Objects(content, is_strict=False)
        # Of the line that is looked at.
        self._line_end = -1

    @property
    def read_in_vain(self) -> int:
        """How many bytes were looked at for objects that were none."""
        return self._records.read_in_vain + self._objects.read_in_vain

    def __iter__(self) -> Iterator[bytes]:
        content = self._content
        at = 0
        while at < len(content):
            if at > self._line_end:
                line_end = content.find(b"\n", at)
                self._line_end = len(content) if line_end < 0 else line_end
            end = self._whole_line_end(at) or self._record_end(at) or self._broken_end(at)
            # Between the tokens of JSON a blank is as good as a line break.
            yield content[at:end].replace(b"\n", b" ")
            at = end + content.startswith(b"\n", end)

    def _whole_line_end(self, at: int) -> int | None:
        """Return the end of a line that begins here and is blank, or JSON as it stands."""
        if at and not self._content.startswith(b"\n", at - 1):
            return None
        line = self._content[at : self._line_end]
        return self._line_end if not line.strip() or _is_json(line) else None

    def _record_end(self, at: int) -> int | None:
        """Return where the record that begins here ends, the blanks behind it included."""
        start = self._past_blanks(at)
        end = self._records.end(start)
        if end is None or not _is_json(self._content[start:end]):
            return None
        return self._past_blanks(end)

    def _broken_end(self, at: int) -> int:
        """Return where that which begins here and is no record ends."""
        start = self._past_blanks(at)
        if self._objects.read_in_vain <= _TIMES * start:
            end = self._objects.end(start)
            if end is not None:
                return self._past_blanks(end)
        is_object = self._content.startswith(b"{", start)
        limit = len(self._content) if is_object else self._line_end
        for found in _RESUMPTION.finditer(self._content, at, limit):
            if found[0] == b"\n":
                return found.start()
            if self._record_end(found.end()) is not None:
                return found.end()
        return limit

    def _past_blanks(self, at: int) -> int:
        found = _BLANKS.match(self._content, at)
        return found.end() if found else at


def _is_json(text: bytes) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True
