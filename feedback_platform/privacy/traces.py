"""Looking for ids in whatever holds them: text, tables, archives, and files of other programs.

In text an id counts where it stands alone: between characters of which ids are not made. What is
part of a longer id that stays (`user-1` in `user-10`) is none. In a file whose form is not known,
where texts may touch each other, an id counts wherever its bytes are, if it is long enough not to
be there by chance.
"""

from __future__ import annotations

import base64
import io
import json
import re
import zipfile
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final

import numpy as np
import polars as pl

# So many bytes are not found by chance in terabytes of noise; fewer are.
SHORTEST_IN_NOISE: Final = 6
_CHUNK: Final = 16 << 20
_CARRIED: Final = re.compile(r'"bytes":"([A-Za-z0-9+/=]+)"')
_ZIP: Final = b"PK\x03\x04"
_TEXT, _OFFSETS = "_utf8.npy", "_offsets.npy"


class Traces:
    """Finds some ids, and knows which longer ones to pass over."""

    def __init__(self, ids: Iterable[str], longer: Iterable[str] = ()) -> None:
        """Prepare to look for ids.

        Args:
            ids: what must not be there.
            longer: ids of others that contain one of them.
        """
        plain = sorted(set(ids))
        self._patterns = sorted({text for name in plain for text in _spellings(name)})
        self._longer = sorted(set(longer), key=len, reverse=True)
        self._noise = [
            text.encode().decode("latin-1")
            for text in self._patterns
            if len(text.encode()) >= SHORTEST_IN_NOISE
        ]
        self._longer_noise = [text.encode().decode("latin-1") for text in self._longer]
        self._overlap = max(map(len, [*self._noise, *self._longer_noise]), default=0)
        # How many ids are too short to be looked for in files whose form is not known.
        self.too_short = sum(len(name.encode()) < SHORTEST_IN_NOISE for name in plain)

    def in_text(self, texts: pl.Series) -> int:
        """Return in how many of some texts an id stands."""
        if not self._patterns or texts.is_empty():
            return 0
        suspicious = texts.filter(texts.str.contains_any(self._patterns).fill_null(value=False))
        return sum(self._is_trace(text) for text in suspicious)

    def in_lines(self, content: bytes) -> int:
        """Return in how many lines an id stands, in bytes that a line carries encoded as well."""
        text = content.decode(errors="replace")
        carried = [_decoded(found) for found in _CARRIED.findall(text)]
        found = self.in_text(pl.Series([text], dtype=pl.String))
        if found:
            found = self.in_text(pl.Series(text.split("\n"), dtype=pl.String))
        return found + self.in_text(pl.Series(carried, dtype=pl.String))

    def in_frame(self, frame: pl.DataFrame) -> int:
        """Return in how many different values of a table an id stands."""
        return sum(self.in_text(texts) for texts in _texts_of(frame))

    def in_parquet(self, data: bytes) -> int:
        """Return in how many different values of a Parquet file an id stands."""
        return self.in_frame(pl.read_parquet(io.BytesIO(data)))

    def in_arrays(self, data: bytes) -> int:
        """Return in how many texts of an archive of arrays an id stands, and of those inside it."""
        found = 0
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                array = np.load(io.BytesIO(archive.read(name)), allow_pickle=False)
                if name.endswith(_TEXT):
                    stem = name.removesuffix(_TEXT)
                    ends = np.load(io.BytesIO(archive.read(stem + _OFFSETS)), allow_pickle=False)
                    raw = array.tobytes()
                    texts = [
                        raw[start:end].decode(errors="replace")
                        for start, end in pairwise(ends.tolist())
                    ]
                    found += self.in_text(pl.Series(texts, dtype=pl.String))
                elif array.dtype == np.uint8:
                    content = array.tobytes()
                    is_archive = content.startswith(_ZIP)
                    found += self.in_arrays(content) if is_archive else self.in_noise([content])
        return found

    def in_noise(self, chunks: Iterable[bytes]) -> int:
        """Return in how many chunks of bytes, of whatever form, the bytes of an id are."""
        found = 0
        before = ""
        for chunk in chunks:
            text = before + chunk.decode("latin-1")
            before = text[-self._overlap :] if self._overlap else ""
            if self._noise and pl.Series([text]).str.contains_any(self._noise).item():
                found += self._is_noisy_trace(text)
        return found

    def _is_trace(self, text: str) -> bool:
        for name in self._longer:
            text = text.replace(name, "\x00")
        return any(
            re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text)
            for name in self._patterns
            if name in text
        )

    def _is_noisy_trace(self, text: str) -> bool:
        for name in self._longer_noise:
            text = text.replace(name, "\x00")
        return any(name in text for name in self._noise)


def chunks_of(file: io.BufferedReader) -> Iterator[bytes]:
    """Yield what a file holds, a piece at a time."""
    while chunk := file.read(_CHUNK):
        yield chunk


def _texts_of(frame: pl.DataFrame) -> Iterator[pl.Series]:
    """Yield the different texts of every column that may hold any, those inside others included."""
    for name, kind in frame.schema.items():
        column = frame[name]
        if kind == pl.Binary:
            texts = [value.decode(errors="replace") for value in column.drop_nulls()]
            carried = [_decoded(found) for text in texts for found in _CARRIED.findall(text)]
            yield pl.Series([*texts, *carried], dtype=pl.String)
        elif kind.is_nested():
            yield column.to_frame().to_struct().struct.json_encode().unique()
        elif kind in {pl.String, pl.Categorical}:
            yield column.cast(pl.String).drop_nulls().unique()


def _spellings(name: str) -> set[str]:
    """Return an id as it is, and as JSON may write it."""
    return {
        name,
        json.dumps(name)[1:-1],
        json.dumps(name, ensure_ascii=False)[1:-1],
        json.dumps(name)[1:-1].replace("/", "\\/"),
    }


def _decoded(encoded: str) -> str:
    try:
        return base64.b64decode(encoded).decode(errors="replace")
    except ValueError:
        return ""
