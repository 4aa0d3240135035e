"""What a Kinesis record says: a JSON object, or several one after the other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from feedback_platform.ingestion.streams.pieces import Piece, json_piece

# How a record begins in which Amazon's producer library packed several.
_AGGREGATED: Final = b"\xf3\x89\x9a\xc2"
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_DECODER: Final = json.JSONDecoder()


def kinesis_pieces(value: bytes | None) -> list[Piece]:
    """Return the events of a record.

    Objects may follow each other with or without anything between them. What cannot be decoded
    goes up to the end of its line, and does not harm what comes before and after.
    """
    if not value:
        return [Piece(b"", "no value")]
    if value.startswith(_AGGREGATED):
        return [Piece(value, "aggregated by the KPL; send records unaggregated")]
    whole = json_piece(value)
    if whole.problem is None:
        return [whole]
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return [whole]
    return list(_pieces(text)) or [whole]


def _pieces(text: str) -> Iterator[Piece]:
    position = _past_space(text, 0)
    while position < len(text):
        try:
            _, end = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError):
            end = text.find("\n", position)
            end = len(text) if end < 0 else end
        yield json_piece(text[position:end].encode())
        position = _past_space(text, end)


def _past_space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position
