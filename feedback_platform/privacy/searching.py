"""Finding many names in much text in one pass, and passing over those inside longer names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

import polars as pl

# No character of UTF-8 has more bytes.
_CHARACTER_BYTES: Final = 4
_INSIDE: Final = 0b10


class Search:
    """Looks for names; what it costs hardly depends on how many there are, or longer ones."""

    def __init__(self, names: Iterable[str], longer: Iterable[str], *, alone: bool) -> None:
        """Prepare to look for names.

        Args:
            names: what is looked for.
            longer: names that contain one, and are none.
            alone: whether one counts only between characters that are no letters or digits.
        """
        self._names = sorted(set(names))
        self._alone = alone
        self._longer: frozenset[bytes] = frozenset()
        # How much of the longer names stands before and behind what is looked for.
        self._around: set[tuple[int, int]] = set()
        self._learn(sorted(set(longer)))
        self._longest = max((len(name.encode()) for name in self._names), default=0)
        self._longest = max([self._longest, *map(len, self._longer)])

    @property
    def compared(self) -> int:
        """How many texts around each hit are looked up among the longer names."""
        return len(self._around)

    def in_texts(self, texts: pl.Series) -> Iterator[tuple[int, frozenset[str]]]:
        """Yield the position of each of the texts that hold any, and the names in it."""
        for position, data, hits in self._hits(texts):
            found = frozenset(name for start, name in hits if self._counts(data, start, name))
            if found:
                yield position, found

    def in_stream(self, chunks: Iterable[str]) -> frozenset[str]:
        """Return the names in a text that comes in pieces."""
        found: set[str] = set()
        window, judged = b"", 0
        for chunk in chain(chunks, [None]):
            window += (chunk or "").encode()
            # What stands at the end may go on in the next piece.
            until = len(window) if chunk is None else len(window) - self._longest
            if until <= judged:
                continue
            for _, data, hits in self._hits(pl.Series([window.decode()])):
                found.update(
                    name
                    for start, name in hits
                    if judged <= start < until and self._counts(data, start, name)
                )
            cut = max(0, until - self._longest)
            while cut < len(window) and _is_inside(window[cut]):
                cut -= 1
            window, judged = window[cut:], until - cut
        return frozenset(found)

    def _learn(self, longer: list[str]) -> None:
        known: set[bytes] = set()
        for _, data, hits in self._hits(pl.Series(longer, dtype=pl.String)):
            for start, name in hits:
                end = start + len(name.encode())
                if end - start < len(data) and self._stands_alone(data, start, end):
                    known.add(data)
                    self._around.add((start, len(data) - end))
        self._longer = frozenset(known)

    def _hits(self, texts: pl.Series) -> Iterator[tuple[int, bytes, Sequence[tuple[int, str]]]]:
        if not self._names or texts.is_empty():
            return
        is_held = texts.str.contains_any(self._names).fill_null(value=False)
        held = texts.filter(is_held)
        starts = held.str.find_many(self._names, overlapping=True)
        names = held.str.extract_many(self._names, overlapping=True)
        for position, text, at, found in zip(is_held.arg_true(), held, starts, names, strict=True):
            yield position, text.encode(), list(zip(at, found, strict=True))

    def _counts(self, data: bytes, start: int, name: str) -> bool:
        end = start + len(name.encode())
        return self._stands_alone(data, start, end) and not any(
            before <= start and data[start - before : end + behind] in self._longer
            for before, behind in self._around
        )

    def _stands_alone(self, data: bytes, start: int, end: int) -> bool:
        if not self._alone:
            return True
        before = data[max(0, start - _CHARACTER_BYTES) : start].decode(errors="ignore")[-1:]
        behind = data[end : end + _CHARACTER_BYTES].decode(errors="ignore")[:1]
        return not (_is_of_word(before) or _is_of_word(behind))


def _is_inside(byte: int) -> bool:
    """Return whether a byte of UTF-8 goes on with a character."""
    return byte >> 6 == _INSIDE


def _is_of_word(character: str) -> bool:
    return character.isalnum() or character == "_"
