"""The records of a delivery stream's file, one a line: Firehose joins them as they were sent."""

from __future__ import annotations

import re
from typing import Final

import orjson

# Strings are tokens, so that a brace in one counts for nothing; one without an end goes to the
# end. Nothing is ever given back, so the time grows with the length alone.
_TOKEN: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[{}]', re.DOTALL)
_JOINT: Final = re.compile(rb"(?<=\})[ \t\r]*(?=\{)")


def one_record_a_line(content: bytes) -> bytes:
    """Return the content with a line break between records that follow one another without.

    What is no JSON stays together with nothing but itself, as far as that can be told: a record
    that was cut short does not cost those behind it.
    """
    if _JOINT.search(content) is None:
        return content
    lines: list[bytes] = []
    for line in content.split(b"\n"):
        if _JOINT.search(line) is None or _is_json(line):
            lines.append(line)
        else:
            lines += _records(line)
    return b"\n".join(lines)


def _records(line: bytes) -> list[bytes]:
    records: list[bytes] = []
    for piece in _balanced(line):
        records += [piece] if _is_json(piece) else _resynchronised(piece)
    return records


def _balanced(line: bytes) -> list[bytes]:
    """Cut behind each brace that closes all that were opened."""
    pieces: list[bytes] = []
    start = depth = 0
    for found in _TOKEN.finditer(line):
        token = found[0]
        if token == b"{":
            depth += 1
        elif token == b"}" and depth:
            depth -= 1
            if depth == 0:
                pieces.append(line[start : found.end()])
                start = found.end()
    if line[start:].strip():
        pieces.append(line[start:])
    return pieces


def _resynchronised(piece: bytes) -> list[bytes]:
    """Save the records behind one that is broken; what is broken stays in one piece."""
    records: list[bytes] = []
    broken: list[bytes] = []
    for part in _JOINT.split(piece):
        if not _is_json(part):
            broken.append(part)
            continue
        if broken:
            records.append(b"".join(broken))
            broken = []
        records.append(part)
    return [*records, b"".join(broken)] if broken else records


def _is_json(text: bytes) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True
