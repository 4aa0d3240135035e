"""Looking for ids in whatever holds them: text, tables, archives, and files of other programs.

Where a field says that it holds a user or a device, its whole value counts. Anywhere else an id is
looked for by its bytes, if it is distinct enough not to be there by chance; in text it counts where
it stands alone, between characters that are no letters or digits. What is part of a longer id that
stays (`user-1-b` for `user-1`) is none.

What somebody else said of an erased user is no trace of them but a mention. It is counted: the
platform does not change what others said.
"""

from __future__ import annotations

import base64
import io
import json
import re
import zipfile
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import polars as pl

from feedback_platform.cleaning.erased_events import named_by
from feedback_platform.lake.tombstones import ANONYMOUS
from feedback_platform.learning.online.array_file import TEXT as LIST_TEXT
from feedback_platform.learning.online.array_file import ArrayFile
from feedback_platform.privacy.searching import Search

# Shorter ids, words and numbers are in times, counts and names of fields by chance.
SHORTEST_DISTINCT: Final = 8
_CHUNK: Final = 16 << 20
_CARRYING: Final = '"bytes":"'
_CARRIED: Final = re.compile(r'"bytes":"([A-Za-z0-9+/=]+)"')
_NAMING: Final = re.compile(
    r'"(?:user_id|userId|previous_id|previousId|anonymous_id|anonymousId)"\s*:\s*'
    r'("(?:[^"\\]|\\.)*"|\d+)'
)
_ID_COLUMNS: Final = ("user_id", "anonymous_id", "previous_id")
_ZIP: Final = b"PK\x03\x04"
_TEXT, _OFFSETS = "_utf8.npy", "_offsets.npy"


def is_distinct(name: str) -> bool:
    """Return whether an id is looked for byte by byte.

    It has at least eight characters, a letter and a digit among them: `42` is in every time, and
    `mobile` is a kind of device.
    """
    return (
        len(name) >= SHORTEST_DISTINCT
        and any(character.isalpha() for character in name)
        and any(character.isdigit() for character in name)
    )


@dataclass(frozen=True)
class Found:
    """How often ids were found.

    Attributes:
        traces: what should be gone.
        mentions: what others said.
    """

    traces: int = 0
    mentions: int = 0

    def __add__(self, other: Found) -> Found:
        return Found(self.traces + other.traces, self.mentions + other.mentions)


NOTHING: Final = Found()


class Traces:
    """Finds some ids, and knows which longer ones to pass over."""

    def __init__(
        self, ids: Iterable[str], longer: Iterable[str] = (), mentioned: Iterable[str] = ()
    ) -> None:
        """Prepare to look for ids.

        Args:
            ids: what must not be there.
            longer: ids of others that contain one of them.
            mentioned: those that others name, in what stays.
        """
        self._ids = frozenset(ids)
        self._values = self._ids | {f"{ANONYMOUS}{name}" for name in self._ids}
        self._mentioned = frozenset(mentioned)
        distinct = [name for name in self._ids if is_distinct(name)]
        self._spelled = {text: name for name in distinct for text in _spellings(name)}
        self._noisy = {
            text.encode().decode("latin-1"): name for text, name in self._spelled.items()
        }
        others = list(longer)
        self._texts = Search(self._spelled, others, alone=True)
        self._noise = Search(self._noisy, map(_as_bytes, others), alone=False)
        # How many are looked for in the fields that hold ids alone.
        self.indistinct = len(self._ids) - len(distinct)

    @property
    def has_distinct(self) -> bool:
        """Whether any is looked for byte by byte."""
        return bool(self._spelled)

    def named_in(self, texts: pl.Series) -> frozenset[str]:
        """Return the distinct ids that stand in some texts."""
        found = {text for _, named in self._texts.in_texts(texts) for text in named}
        return frozenset(self._spelled[text] for text in found)

    def in_text(self, texts: pl.Series) -> Found:
        """Return in how many of some texts, of which nobody knows whose they are, an id stands."""
        return sum(
            (
                self._found({self._spelled[text] for text in named})
                for _, named in self._texts.in_texts(texts)
            ),
            NOTHING,
        )

    def in_content(self, data: bytes) -> Found:
        """Return in how many lines of a text, of which nobody knows whose it is, an id stands."""
        lines = data.decode(errors="replace").split("\n")
        return self.in_text(pl.Series(lines, dtype=pl.String))

    def in_values(self, texts: pl.Series) -> Found:
        """Return how many different values of a field that holds ids are one."""
        values = texts.cast(pl.String).drop_nulls().unique()
        return Found(traces=sum(value in self._values for value in values))

    def in_lines(self, content: bytes) -> Found:
        """Return in how many lines of received events an id stands, and what they carry encoded.

        A line is theirs whom it names where a message names its user. One that names somebody else
        only mentions them.
        """
        lines = content.decode(errors="replace").split("\n")
        carried = [
            (row, _decoded(encoded))
            for row, line in enumerate(lines)
            if _CARRYING in line
            for encoded in _CARRIED.findall(line)
        ]
        rows = [*range(len(lines)), *(row for row, _ in carried)]
        texts = pl.Series([*lines, *(text for _, text in carried)], dtype=pl.String)
        named: defaultdict[int, set[str]] = defaultdict(set)
        for position, found in self._texts.in_texts(texts):
            named[rows[position]].update(self._spelled[text] for text in found)
        if self.indistinct:
            for row, line in enumerate(lines):
                named[row].update(self._ids.intersection(_values_of_ids(line)))
        return sum((self._in_line(lines[row], ids) for row, ids in named.items() if ids), NOTHING)

    def in_frame(self, frame: pl.DataFrame) -> Found:
        """Return in how many different values of each column an id stands."""
        found = NOTHING
        for name, kind in frame.schema.items():
            column = frame[name]
            if kind == pl.Binary:
                found += self.in_lines(b"\n".join(column.drop_nulls().unique()))
            elif kind.is_nested():
                found += self.in_text(column.to_frame().to_struct().struct.json_encode().unique())
            elif kind in {pl.String, pl.Categorical} and name.endswith(_ID_COLUMNS):
                found += self.in_values(column)
            elif kind in {pl.String, pl.Categorical}:
                found += self.in_text(column.cast(pl.String).drop_nulls().unique())
        return found

    def in_parquet(self, data: bytes) -> Found:
        """Return in how many different values of a Parquet file an id stands."""
        return self.in_frame(pl.read_parquet(io.BytesIO(data)))

    def in_arrays(self, data: bytes) -> Found:
        """Return in how many texts of an archive of arrays an id stands, and of those inside it."""
        found = NOTHING
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                array = np.load(io.BytesIO(archive.read(name)), allow_pickle=False)
                if name.endswith(_TEXT):
                    stem = name.removesuffix(_TEXT)
                    ends = np.load(io.BytesIO(archive.read(stem + _OFFSETS)), allow_pickle=False)
                    raw = array.tobytes()
                    texts = pl.Series(
                        [
                            raw[start:end].decode(errors="replace")
                            for start, end in pairwise(ends.tolist())
                        ],
                        dtype=pl.String,
                    )
                    found += self.in_values(texts) if "user" in stem else self.in_text(texts)
                elif array.dtype == np.uint8:
                    content = array.tobytes()
                    is_archive = content.startswith(_ZIP)
                    found += self.in_arrays(content) if is_archive else self.in_noise([content])
        return found

    def in_lists(self, data: bytes) -> Found:
        """Return in how many texts of a file of lists an id stands, and whether in its numbers.

        Raises:
            InvalidInputError: it is no such file.
        """
        file = ArrayFile.of(memoryview(data), "the lake")
        found = self.in_text(pl.Series([json.dumps(dict(file.facts))], dtype=pl.String))
        for name, array in file.arrays.items():
            if name.endswith(LIST_TEXT):
                stem = name.removesuffix(LIST_TEXT)
                texts = pl.Series(file.texts(stem).all(), dtype=pl.String)
                found += self.in_values(texts) if "user" in stem else self.in_text(texts)
            else:
                found += self.in_noise([array.tobytes()])
        return found

    def in_noise(self, chunks: Iterable[bytes]) -> Found:
        """Return whether the bytes of an id are in some bytes of whatever form."""
        named = self._noise.in_stream(chunk.decode("latin-1") for chunk in chunks)
        return self._found({self._noisy[text] for text in named})

    def in_writing(self, data: bytes) -> frozenset[str]:
        """Return the ids in JSON that people wrote: whole texts, and parts of longer ones."""
        try:
            values = pl.Series(list(_strings(json.loads(data))), dtype=pl.String)
        except ValueError:
            values = pl.Series([data.decode(errors="replace")])
        return self.named_in(values) | self._ids.intersection(values)

    def _in_line(self, line: str, named: set[str]) -> Found:
        users, devices = named_by(line.encode())
        whose = users or devices
        if not self._ids.isdisjoint(whose):
            return Found(traces=1)
        return Found(mentions=1) if whose else self._found(named)

    def _found(self, named: Collection[str]) -> Found:
        if not named:
            return NOTHING
        return Found(mentions=1) if self._mentioned.issuperset(named) else Found(traces=1)


def chunks_of(file: io.BufferedReader) -> Iterator[bytes]:
    """Yield what a file holds, a piece at a time."""
    while chunk := file.read(_CHUNK):
        yield chunk


def _as_bytes(text: str) -> str:
    """Return the bytes of a text as one character each."""
    return text.encode().decode("latin-1")


def _spellings(name: str) -> set[str]:
    """Return an id as it is, and as JSON may write it."""
    return {
        name,
        json.dumps(name)[1:-1],
        json.dumps(name, ensure_ascii=False)[1:-1],
        json.dumps(name)[1:-1].replace("/", "\\/"),
    }


def _values_of_ids(line: str) -> Iterator[str]:
    for written in _NAMING.findall(line):
        yield str(json.loads(written, strict=False)) if "\\" in written else written.strip('"')


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
    elif isinstance(value, str):
        yield value


def _decoded(encoded: str) -> str:
    try:
        return base64.b64decode(encoded).decode(errors="replace")
    except ValueError:
        return ""
