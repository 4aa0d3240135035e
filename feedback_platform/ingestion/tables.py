"""Reading the tables that people hand over, so that a mistake is named by file, line and column."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import zstandard

from feedback_platform.errors import InvalidInputError

# A timestamp beyond this is a mistake of unit (milliseconds for seconds), not a date.
LATEST = datetime(2100, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, eq=False)
class Table:
    """A CSV file, every field still text; reading a column types it or says which line is wrong."""

    path: Path
    frame: pl.DataFrame

    def texts(self, column: str) -> pl.Series:
        """Return a column; a field of it may not be empty."""
        series = self.frame[column]
        self.require((series.is_not_null()) & (series != ""), column, "some text")
        return series

    def integers(self, column: str, *, minimum: int = 0, maximum: int = 2**53) -> pl.Series:
        """Return a column of whole numbers within inclusive bounds."""
        numbers = self.frame[column].cast(pl.Int64, strict=False)
        accepts = f"a whole number from {minimum} to {maximum}"
        self.require(numbers.is_between(minimum, maximum), column, accepts)
        return numbers

    def numbers(self, column: str, *, minimum: float, maximum: float) -> pl.Series:
        """Return a column of finite numbers within inclusive bounds."""
        numbers = self.frame[column].cast(pl.Float64, strict=False)
        good = numbers.is_finite() & numbers.is_between(minimum, maximum)
        self.require(good, column, f"a number from {minimum:g} to {maximum:g}")
        return numbers

    def epoch_seconds(self, column: str, *, earliest: datetime) -> pl.Series:
        """Return a column of seconds since 1970 as UTC timestamps, from an instant to 2100."""
        seconds = self.frame[column].cast(pl.Int64, strict=False)
        first, last = int(earliest.timestamp()), int(LATEST.timestamp())
        accepts = f"seconds since 1970, from {earliest:%Y-%m-%d} to {LATEST:%Y-%m-%d}"
        self.require(seconds.is_between(first, last), column, accepts)
        return (seconds * 1_000_000).cast(pl.Datetime("us", "UTC"))

    def timestamps(self, column: str, *, earliest: datetime) -> pl.Series:
        """Return a column of ISO 8601 timestamps with an offset as UTC, from an instant to 2100."""
        times = (
            self.frame[column]
            .str.to_datetime("%Y-%m-%d %H:%M:%S%.f%#z", time_unit="us", strict=False)
            .dt.convert_time_zone("UTC")
        )
        accepts = (
            "a timestamp such as 2019-11-24 00:01:03.979311+00:00, "
            f"from {earliest:%Y-%m-%d} to {LATEST:%Y-%m-%d}"
        )
        self.require(times.is_between(earliest, LATEST), column, accepts)
        return times

    def require_unique(self, *columns: str) -> None:
        """Refuse a row that repeats an earlier one in these columns."""
        is_first = self.frame.select(pl.struct(columns).is_first_distinct()).to_series()
        self.require(is_first, columns[-1], f"each {' and '.join(columns)} only once")

    def require(self, is_good: pl.Series, column: str, accepts: str) -> None:
        """Refuse the first row that is not good; null counts as not good.

        Raises:
            InvalidInputError: with file, line, column, the text found, and what is accepted.
        """
        bad = (~is_good.fill_null(value=False)).arg_true()
        if bad.is_empty():
            return
        row = int(bad[0])
        text = self.frame[column][row]
        said = "is empty" if text in (None, "") else f"is {text!r}"
        raise InvalidInputError(
            f"{self.path}, line {self._line(row)}, column {column}: the field {said}, "
            f"but it must be {accepts}. Correct the file; nothing of it was imported."
        )

    def _line(self, row: int) -> int:
        """Return the line of a row, counted from 1; a quoted field may span lines."""
        before = self.frame.head(row).select(pl.all().str.count_matches("\n", literal=True))
        return 2 + row + sum(int(column.sum()) for column in before.iter_columns())


def read_table(path: Path, required: Sequence[str]) -> Table:
    """Read a CSV file with a header, plain or compressed (`.gz`, `.zst`).

    Raises:
        InvalidInputError: the file is missing, empty or damaged, or lacks a required column.
    """
    content = read_bytes(path).removeprefix(b"\xef\xbb\xbf")
    if not content.strip():
        raise InvalidInputError(
            f"{path} is empty; it needs a header with {', '.join(required)}. "
            "Fetch the data set again."
        )
    checked_utf8(path, content)
    try:
        frame = pl.read_csv(content, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise InvalidInputError(_malformed(path, content)) from error
    for column in required:
        if column not in frame.columns:
            raise InvalidInputError(
                f"{path}, line 1: there is no column {column!r}; the columns are "
                f"{', '.join(map(repr, frame.columns[:10]))}. Is it the right file?"
            )
    if frame.is_empty():
        raise InvalidInputError(f"{path} has a header but no rows. Fetch the data set again.")
    return Table(path, frame)


def read_bytes(path: Path) -> bytes:
    """Return the content of a file, decompressed when it ends in `.gz` or `.zst`.

    Raises:
        InvalidInputError: it is missing, unreadable or damaged.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidInputError(
            f"{path} cannot be read: {error.strerror}. Check the path; nothing was imported."
        ) from error
    try:
        if path.suffix == ".gz":
            return gzip.decompress(content)
        if path.suffix == ".zst":
            return _decompressed_zst(content)
    except (gzip.BadGzipFile, EOFError, zlib.error, zstandard.ZstdError) as error:
        raise InvalidInputError(
            f"{path} is not a whole {path.suffix} file: {error}. Fetch it again."
        ) from error
    return content


def _decompressed_zst(content: bytes) -> bytes:
    """Decompress every frame; zstandard's own stream reader takes a cut file for a whole one."""
    parts: list[bytes] = []
    while content:
        frame = zstandard.ZstdDecompressor().decompressobj()
        parts.append(frame.decompress(content))
        if not frame.eof:
            raise zstandard.ZstdError("it ends in the middle")
        content = frame.unused_data
    return b"".join(parts)


def checked_utf8(path: Path, content: bytes) -> str:
    """Return the text of a file's content.

    Raises:
        InvalidInputError: it is not UTF-8.
    """
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidInputError(
            f"{path}, line {line}: the text is not UTF-8. Save the file as UTF-8."
        ) from error


def _malformed(path: Path, content: bytes) -> str:
    """Say which line is not CSV: Polars does not."""
    reader = csv.reader(io.StringIO(content.decode(), newline=""), strict=True)
    ended = 0
    try:
        fields = len(next(reader))
        ended = reader.line_num
        for row in reader:
            if len(row) != fields:
                return (
                    f"{path}, line {ended + 1}: the row has {len(row)} fields, but the header has "
                    f"{fields}. Correct the file; nothing of it was imported."
                )
            ended = reader.line_num
    except csv.Error as error:
        return (
            f"{path}, line {ended + 1}: the row is not CSV ({error}). "
            "Correct the file; nothing of it was imported."
        )
    return f"{path} is not CSV that can be read; look for a quotation mark inside a field."
