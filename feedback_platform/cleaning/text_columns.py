"""From lines of JSON to columns of text: the edge where Polars reads JSON.

A line yields one row, or none where it is blank, or Polars refuses it; which of them is up to the
line alone. So lines may be read together however it is cheap.
"""

from __future__ import annotations

import io
from typing import Final, NamedTuple

import orjson
import polars as pl

from feedback_platform.cleaning.exact_texts import exact_texts, rewritten_line
from feedback_platform.events.contract import FIELDS

TEXT_SCHEMA: Final = dict.fromkeys(FIELDS, pl.String)


class TextColumns(NamedTuple):
    """What some lines say.

    Attributes:
        texts: the canonical fields as text, a row for each readable line.
        rows: the number of each row's line, from 0; ascending.
        unreadable: the numbers of the lines that hold no JSON object; blank ones are left out.
    """

    texts: pl.DataFrame
    rows: range | list[int]
    unreadable: list[int]


def read_lines(content: bytes, lines: int) -> TextColumns:
    """Read lines of JSON; one that is none costs its neighbours nothing.

    Args:
        content: the lines; the last one needs no end.
        lines: how many there are, blank ones included; see `count_lines`.
    """
    texts = _texts(content)
    if texts is not None and texts.height == lines:
        return TextColumns(exact_texts(texts, range(lines), content), range(lines), [])
    return _LineByLine(content).read()


def count_lines(content: bytes) -> int:
    """Return how many lines there are, blank ones included; the last one needs no end."""
    return content.count(b"\n") + (not content.endswith(b"\n")) if content else 0


def _texts(content: bytes) -> pl.DataFrame | None:
    """Return the text of lines that are all JSON; None where Polars meets one that is not."""
    if not content:
        return pl.DataFrame(schema=TEXT_SCHEMA)
    try:
        return pl.read_ndjson(io.BytesIO(content), schema=TEXT_SCHEMA)
    except pl.exceptions.PolarsError:
        return None


class _LineByLine:
    """Singles out what Polars refuses, and reads the rest."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._frames: list[pl.DataFrame] = []
        self._rows: list[int] = []
        self._unreadable: list[int] = []

    def read(self) -> TextColumns:
        """Return what the lines say."""
        lines = [_Line(*line) for line in enumerate(self._content.split(b"\n")) if line[1].strip()]
        likely = [line for line in lines if line.is_in_braces]
        self._unreadable = [line.row for line in lines if not line.is_in_braces]
        if not self._take(likely):
            # A strict parser knows nearly always what Polars will refuse. Where it does not, half
            # a surrogate for one, Polars has the last word: it had it if no line was refused.
            self._read([line for line in likely if line.is_json])
            self._read([line for line in likely if not line.is_json])
        read = pl.concat([pl.DataFrame(schema=TEXT_SCHEMA), *self._frames])
        in_order = pl.Series(self._rows, dtype=pl.Int64).arg_sort()
        rows = sorted(self._rows)
        texts = exact_texts(read[in_order], rows, self._content)
        return TextColumns(texts, rows, sorted(self._unreadable))

    def _take(self, lines: list[_Line]) -> bool:
        """Read lines, if Polars refuses none of them."""
        texts = _texts(b"\n".join(line.content for line in lines))
        if texts is None or texts.height != len(lines):
            return False
        self._frames.append(texts)
        self._rows += [line.row for line in lines]
        return True

    def _read(self, lines: list[_Line]) -> None:
        """Read lines, cutting in half what Polars refuses until one line is left."""
        if self._take(lines):
            return
        if len(lines) == 1:
            self._read_alone(lines[0])
        else:
            middle = len(lines) // 2
            self._read(lines[:middle])
            self._read(lines[middle:])

    def _read_alone(self, line: _Line) -> None:
        """Read a line that Polars refuses as it stands."""
        # An integer of more than 128 bits: as text it can be read.
        rewritten = rewritten_line(line.content)
        if rewritten != line.content:
            self._read([_Line(line.row, rewritten)])
        else:
            self._unreadable.append(line.row)


class _Line(NamedTuple):
    row: int
    content: bytes

    @property
    def is_in_braces(self) -> bool:
        """Whether it begins and ends as an object does."""
        text = self.content.strip()
        return text.startswith(b"{") and text.endswith(b"}")

    @property
    def is_json(self) -> bool:
        """Whether a strict parser reads it."""
        try:
            orjson.loads(self.content)
        except orjson.JSONDecodeError:
            return False
        return True
