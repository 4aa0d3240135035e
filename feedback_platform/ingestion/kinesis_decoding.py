"""What a Kinesis record says: a JSON object, or several one after the other."""

from __future__ import annotations

import json
import re
from typing import Final

from feedback_platform.ingestion.streams.pieces import Piece, json_piece

# A record has up to 10 MB: that many events of a hundred bytes each.
MOST_PIECES: Final = 100_000
# Whoever decodes behind each failure again could do so for ever: a record may fail so often, and
# be read in vain for so many times its length.
MOST_FAILURES: Final = 1000
_MOST_READ_IN_VAIN: Final = 8
# How a record begins in which Amazon's producer library packed several.
_AGGREGATED: Final = b"\xf3\x89\x9a\xc2"
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_DECODER: Final = json.JSONDecoder()


def kinesis_pieces(value: bytes | None) -> list[Piece]:
    """Return the events of a record.

    Objects may follow each other with or without anything between them. What cannot be decoded
    goes up to the end of its line, and does not harm what comes before and after. Only a record
    that has too much of it, or too many events, is one piece as it is.
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
    pieces = _pieces(text)
    if pieces is None:
        return [Piece(value, "too many pieces; send fewer objects a record, and whole ones")]
    return pieces or [whole]


def _pieces(text: str) -> list[Piece] | None:
    """Return the pieces of a text, or None where to find them all would take too much."""
    pieces: list[Piece] = []
    failures = read_in_vain = 0
    position = _past_space(text, 0)
    while position < len(text):
        try:
            _, end = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            failures += 1
            read_in_vain += _reached(error, text) - position
            end = text.find("\n", position)
            end = len(text) if end < 0 else end
        if (
            len(pieces) == MOST_PIECES
            or failures > MOST_FAILURES
            or read_in_vain > _MOST_READ_IN_VAIN * len(text)
        ):
            return None
        pieces.append(json_piece(text[position:end].encode()))
        position = _past_space(text, end)
    return pieces


def _reached(error: Exception, text: str) -> int:
    """Return how far the decoder read before it failed; to the end where it does not say."""
    # Of a string without an end it says where the string begins.
    if isinstance(error, json.JSONDecodeError) and not error.msg.startswith("Unterminated"):
        return error.pos
    return len(text)


def _past_space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position
