"""Arrays in one immutable file that is mapped into memory, with a header that is checked.

The layout: sixteen bytes that name the format and its version; the length of the header (64 bits,
little endian); its SHA-256; the header, JSON in UTF-8; the arrays, each at a multiple of 64 bytes,
little endian, as the header says. There are no pickles: a file is numbers and nothing to run.

A mapped file must not be changed. Writers make a new one; a file that is deleted stays readable for
whoever has mapped it.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from feedback_platform.errors import InvalidInputError

_MAGIC: Final = b"feedback-lists-1"
_HEAD: Final = struct.Struct("<16sQ32s")
_ALIGNMENT: Final = 64
# A header names some fifty arrays and a few facts; more is none of ours.
_LONGEST_HEADER: Final = 1 << 24
_KINDS: Final = ("|u1", "<i4", "<u8", "<i8", "<f4", "<f8")
_TEXT, _OFFSETS = "_utf8", "_offsets"


@dataclass(frozen=True, eq=False)
class ArrayFile:
    """What a file holds.

    Attributes:
        facts: what was said of the arrays, as JSON.
        arrays: name → array; they are read-only, and lie in the file until they are read.
        origin: the name of the file, for errors.
    """

    facts: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]
    origin: str

    @classmethod
    def open(cls, path: Path) -> ArrayFile:
        """Map a file.

        Raises:
            InvalidInputError: it is none of these, of another version, cut short or damaged.
        """
        try:
            with path.open("rb") as file:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise InvalidInputError(f"The lists in {path} cannot be read: {error}.") from error
        return cls.of(memoryview(mapped), str(path))

    @classmethod
    def of(cls, content: memoryview, origin: str) -> ArrayFile:
        """Return what some bytes hold.

        Raises:
            InvalidInputError: they are no such file, or one that was cut short or damaged.
        """
        try:
            header = _header(content)
            arrays = {
                str(name): _array(content, *described)
                for name, described in header["arrays"].items()
            }
            facts = header["facts"]
            if not isinstance(facts, dict) or header["size"] != len(content):
                raise ValueError(f"it has {len(content)} bytes, not {header['size']}")  # noqa: TRY301
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise InvalidInputError(
                f"The lists in {origin} are damaged, cut short or of another release ({error}); "
                "make them again with the job publish_models."
            ) from error
        return cls(facts, arrays, origin)

    def array(self, name: str, kind: type[np.generic], shape: Sequence[int | None]) -> NDArray[Any]:
        """Return an array of a type and shape; None stands for any length.

        Raises:
            InvalidInputError: it is missing or another one.
        """
        found = self.arrays.get(name)
        if (
            found is None
            or found.dtype != kind
            or len(found.shape) != len(shape)
            or any(
                given not in (None, length)
                for given, length in zip(shape, found.shape, strict=True)
            )
        ):
            raise self.refused(f"has no {name} of the shape {tuple(shape)}")
        return found

    def indexes(
        self, name: str, shape: Sequence[int | None], size: int, *, least: int = 0
    ) -> NDArray[np.int32]:
        """Return an array of positions in something of a size.

        Raises:
            InvalidInputError: it is missing, another one, or points outside.
        """
        found = self.array(name, np.int32, shape)
        if found.size and (found.min() < least or found.max() >= size):
            raise self.refused(f"has {name} that point outside {least} to {size - 1}")
        return found

    def starts(self, name: str, parts: int, size: int) -> NDArray[np.int64]:
        """Return where each of some consecutive parts of an array begins, and the last one's end.

        Raises:
            InvalidInputError: it is missing, or its parts are not those of an array of that size.
        """
        found = self.array(name, np.int64, (parts + 1,))
        if found[0] != 0 or found[-1] != size or (np.diff(found) < 0).any():
            raise self.refused(f"has {name} that do not fit")
        return found

    def texts(self, name: str, count: int | None = None) -> Texts:
        """Return a list of texts.

        Raises:
            InvalidInputError: it is missing, or its parts do not fit together.
        """
        content = self.array(name + _TEXT, np.uint8, (None,))
        offsets = self.array(name + _OFFSETS, np.int64, (None,))
        parts = len(offsets) - 1 if count is None else count
        return Texts(content, self.starts(name + _OFFSETS, parts, len(content)))

    def refused(self, problem: str) -> InvalidInputError:
        """Return the error of a file whose parts do not fit together."""
        return InvalidInputError(
            f"The file of lists {self.origin} {problem}; make it again with the job publish_models."
        )


@dataclass(frozen=True, eq=False)
class Texts:
    """A list of texts that are read one at a time."""

    content: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> str:
        return (
            self.content[self.offsets[index] : self.offsets[index + 1]]
            .tobytes()
            .decode(errors="replace")
        )

    def all(self) -> list[str]:
        """Return every text."""
        content, ends = self.content.tobytes(), self.offsets.tolist()

        return [content[start:end].decode(errors="replace") for start, end in pairwise(ends)]


def as_arrays(name: str, texts: Iterable[str]) -> dict[str, NDArray[Any]]:
    """Return a list of texts as the arrays from which `ArrayFile.texts` reads it."""
    encoded = [text.encode() for text in texts]
    lengths = np.array([0, *map(len, encoded)], dtype=np.int64)
    return {
        name + _TEXT: np.frombuffer(b"".join(encoded), dtype=np.uint8),
        name + _OFFSETS: np.cumsum(lengths),
    }


def write_arrays(path: Path, facts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a file; equal input makes equal bytes.

    Args:
        path: where nothing lies yet.
        facts: of the arrays, as JSON may have them.
        arrays: by their names; of the types of the format.
    """
    described: dict[str, Any] = {}
    # The header's own length decides where the arrays begin, and their places are in the header.
    place = 0
    for name, array in arrays.items():
        if array.dtype.str not in _KINDS:
            raise InvalidInputError(f"A file of lists holds no {array.dtype} ({name}).")
        place = _aligned(place)
        described[name] = [array.dtype.str, list(array.shape), place]
        place += array.nbytes
    beginning = _aligned(
        _HEAD.size + len(_as_json(facts, described, 1 << 62)) + len(described) * 20
    )
    for entry in described.values():
        entry[2] += beginning
    header = _as_json(facts, described, beginning + place)
    with path.open("xb") as file:
        file.write(_HEAD.pack(_MAGIC, len(header), hashlib.sha256(header).digest()))
        file.write(header)
        for array, (_, _, start) in zip(arrays.values(), described.values(), strict=True):
            file.write(b"\0" * (start - file.tell()))
            if array.nbytes:
                file.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        file.write(b"\0" * (beginning + place - file.tell()))


def _as_json(facts: Mapping[str, Any], described: Mapping[str, Any], size: int) -> bytes:
    content = {"size": size, "facts": facts, "arrays": described}
    return json.dumps(content, allow_nan=False).encode()


def _header(content: memoryview) -> dict[str, Any]:
    if len(content) < _HEAD.size:
        raise ValueError(f"it has {len(content)} bytes")
    magic, length, digest = _HEAD.unpack_from(content)
    if magic != _MAGIC:
        raise ValueError(f"it begins with {bytes(magic)!r}, not {_MAGIC!r}")
    if not 0 < length <= min(_LONGEST_HEADER, len(content) - _HEAD.size):
        raise ValueError("its header does not fit into it")
    header = bytes(content[_HEAD.size : _HEAD.size + length])
    if hashlib.sha256(header).digest() != digest:
        raise ValueError("its header has changed")
    found: dict[str, Any] = json.loads(header)
    return found


def _array(content: memoryview, kind: str, shape: Sequence[int], start: int) -> NDArray[Any]:
    if kind not in _KINDS or any(not 0 <= length < 1 << 40 for length in shape):
        raise ValueError(f"it has an array of {kind}, {shape}")
    dtype, count = np.dtype(kind), prod(shape)
    if start % _ALIGNMENT or not 0 <= start <= len(content) - count * dtype.itemsize:
        raise ValueError("an array lies outside of it")
    if count == 0:
        return np.empty(shape, dtype)
    array = np.frombuffer(content, dtype, count, start).reshape(shape)
    array.flags.writeable = False
    return array


def _aligned(place: int) -> int:
    return -(-place // _ALIGNMENT) * _ALIGNMENT
