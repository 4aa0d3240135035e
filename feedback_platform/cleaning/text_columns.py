"""From lines of JSON to columns of text: the edge where Polars reads JSON.

A line yields one row, or none where it is blank, or Polars refuses it; which of them is up to the
line alone. So lines may be read together however it is cheap.
"""

from __future__ import annotations

import io
from typing import Final, NamedTuple

import numpy as np
import orjson
import polars as pl
from numpy.typing import NDArray

from feedback_platform.cleaning.exact_texts import exact_texts, rewritten_line
from feedback_platform.events.contract import FIELDS

Rows = NDArray[np.int64]

TEXT_SCHEMA: Final = dict.fromkeys(FIELDS, pl.String)
_LINE_END, _OPENING, _CLOSING = b"\n{}"


class TextColumns(NamedTuple):
    """What some lines say.

    Attributes:
        texts: the canonical fields as text, a row for each readable line.
        rows: the number of each row's line, from 0; ascending.
        unreadable: the numbers of the lines that hold no JSON object; blank ones are left out.
    """

    texts: pl.DataFrame
    rows: Rows
    unreadable: Rows


def line_ends(content: bytes) -> Rows:
    """Return where each line ends, blank ones included."""
    return np.flatnonzero(np.frombuffer(content, np.uint8) == _LINE_END)


def line_starts(ends: Rows) -> Rows:
    """Return where each line begins, of lines with these ends."""
    return np.concatenate([np.zeros(1, np.int64), ends + 1])[: len(ends)]


def read_lines(content: bytes, ends: Rows) -> TextColumns:
    """Read lines of JSON; one that is none costs its neighbours nothing.

    Args:
        content: the lines, each with its end.
        ends: `line_ends` of it.
    """
    lines = _Lines(content, ends)
    rows, unreadable = lines.in_braces()
    texts = _texts(lines.joined(rows))
    if texts is None or texts.height != len(rows):
        texts, rows, refused = _read_apart([_Line(row, lines[row]) for row in rows.tolist()])
        unreadable = np.sort(np.concatenate([unreadable, refused]))
    return TextColumns(exact_texts(texts, rows.tolist(), content), rows, unreadable)


def _texts(content: bytes) -> pl.DataFrame | None:
    """Return the text of lines that are all JSON; None where Polars meets one that is not."""
    if not content:
        return pl.DataFrame(schema=TEXT_SCHEMA)
    try:
        return pl.read_ndjson(io.BytesIO(content), schema=TEXT_SCHEMA)
    except pl.exceptions.PolarsError:
        return None


class _Lines:
    """Lines that stay together: taking all of them apart costs as much as reading them."""

    def __init__(self, content: bytes, ends: Rows) -> None:
        self._content = content
        self._ends = ends
        self._starts = line_starts(ends)

    def __getitem__(self, row: int) -> bytes:
        return self._content[self._starts[row] : self._ends[row]]

    def in_braces(self) -> tuple[Rows, Rows]:
        """Return the lines that begin and end as an object does, and those that do not.

        In neither are those that are blank.
        """
        signs = np.frombuffer(self._content, np.uint8)
        is_in_braces = (signs[self._starts] == _OPENING) & (signs[self._ends - 1] == _CLOSING)
        others = np.flatnonzero(~is_in_braces)
        unreadable = []
        for row in others.tolist():
            text = self[row].strip()
            is_in_braces[row] = text.startswith(b"{") and text.endswith(b"}")
            if text and not is_in_braces[row]:
                unreadable.append(row)
        return np.flatnonzero(is_in_braces), np.array(unreadable, np.int64)

    def joined(self, rows: Rows) -> bytes:
        """Return some of the lines as one text."""
        if len(rows) == len(self._ends):
            return self._content
        # Lines that follow one another are taken at once.
        breaks = np.flatnonzero(np.diff(rows) != 1) + 1
        starts = self._starts[rows[np.concatenate([np.zeros(1, np.int64), breaks])[: len(rows)]]]
        ends = self._ends[rows[np.concatenate([breaks, [len(rows)]])[: len(starts)] - 1]] + 1
        pairs = zip(starts.tolist(), ends.tolist(), strict=True)
        return b"".join(self._content[start:end] for start, end in pairs)


def _read_apart(lines: list[_Line]) -> tuple[pl.DataFrame, Rows, Rows]:
    """Return the texts of lines, the rows of these, and the rows of what Polars refuses."""
    search = _Search()
    # A strict parser knows nearly always what Polars will refuse. Where it does not, half a
    # surrogate for one, Polars has the last word: it had it if no line was refused.
    search.read([line for line in lines if line.is_json])
    search.read([line for line in lines if not line.is_json])
    rows = np.array(search.rows, np.int64)
    texts = pl.concat([pl.DataFrame(schema=TEXT_SCHEMA), *search.frames])
    in_order = np.argsort(rows)
    return texts[in_order], rows[in_order], np.array(search.refused, np.int64)


class _Search:
    """Finds what Polars refuses, and reads the rest."""

    def __init__(self) -> None:
        self.frames: list[pl.DataFrame] = []
        self.rows: list[int] = []
        self.refused: list[int] = []

    def read(self, lines: list[_Line]) -> None:
        """Read lines, cutting in half what Polars refuses until one line is left."""
        texts = _texts(b"\n".join(line.content for line in lines))
        if texts is not None and texts.height == len(lines):
            self.frames.append(texts)
            self.rows += [line.row for line in lines]
        elif len(lines) == 1:
            self._read_alone(lines[0])
        else:
            middle = len(lines) // 2
            self.read(lines[:middle])
            self.read(lines[middle:])

    def _read_alone(self, line: _Line) -> None:
        """Read a line that Polars refuses as it stands."""
        # An integer of more than 128 bits: as text it can be read.
        rewritten = rewritten_line(line.content)
        if rewritten != line.content:
            self.read([_Line(line.row, rewritten)])
        else:
            self.refused.append(line.row)


class _Line(NamedTuple):
    row: int
    content: bytes

    @property
    def is_json(self) -> bool:
        """Whether a strict parser reads it."""
        try:
            orjson.loads(self.content)
        except orjson.JSONDecodeError:
            return False
        return True
