"""Named arrays and lists of text as bytes: a `.npz` archive without pickles.

Text is stored as UTF-8 with offsets: a fixed-width array would cost every id the length of the
longest, and would lose trailing NULs.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feedback_platform.errors import InvalidInputError

_TEXT = "_utf8"
_OFFSETS = "_offsets"


class ArrayReader:
    """The content of an archive; whatever is missing or malformed is named in the error."""

    def __init__(self, data: bytes, what: str) -> None:
        """Open an archive.

        Args:
            data: what `pack` returned.
            what: the thing it holds, for error messages.

        Raises:
            InvalidInputError: the bytes are no such archive.
        """
        self._what = what
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                # Every member is read here, so that damage shows at once (ZIP has checksums).
                self._arrays = {
                    name.removesuffix(".npy"): _read_member(archive.read(name))
                    for name in archive.namelist()
                }
        except (
            zipfile.BadZipFile,
            zlib.error,
            ValueError,  # not an array, or one of Python objects
            EOFError,
            NotImplementedError,  # damaged compression flags
            RuntimeError,  # damaged encryption flag
            OverflowError,
            OSError,
            SyntaxError,  # a damaged header of an array
            MemoryError,  # the same, with an absurd shape
        ) as error:
            raise InvalidInputError(f"The {what} is damaged or none at all: {error}") from error

    def __contains__(self, name: str) -> bool:
        return name in self._arrays

    def floats(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Return a float32 array.

        Raises:
            InvalidInputError: it is missing, of another type or shape, or not finite.
        """
        array = self._find(name)
        if array.dtype != np.float32:
            raise InvalidInputError(f"The {self._what}'s {name} is {array.dtype}, not float32.")
        if array.shape != shape:
            raise InvalidInputError(
                f"The {self._what}'s {name} has the shape {array.shape}, not {shape}."
            )
        if not np.isfinite(array).all():
            raise InvalidInputError(f"The {self._what}'s {name} has values that are not finite.")
        return array

    def indexes(self, name: str, size: int) -> NDArray[np.int64]:
        """Return a list of positions in something of a size.

        Raises:
            InvalidInputError: it is missing, of another type, or points outside.
        """
        array = self._find(name)
        if array.dtype != np.int64 or array.ndim != 1:
            raise InvalidInputError(f"The {self._what}'s {name} is no list of int64.")
        if array.size and (array.min() < 0 or array.max() >= size):
            raise InvalidInputError(f"The {self._what}'s {name} points outside 0 to {size - 1}.")
        return array

    def content(self, name: str) -> bytes:
        """Return bytes, such as those of an archive inside this one.

        Raises:
            InvalidInputError: they are missing or no bytes.
        """
        array = self._find(name)
        if array.dtype != np.uint8 or array.ndim != 1:
            raise InvalidInputError(f"The {self._what}'s {name} is no list of bytes.")
        return array.tobytes()

    def integers(self, name: str, shape: tuple[int, ...]) -> NDArray[np.int64]:
        """Return an int64 array.

        Raises:
            InvalidInputError: it is missing, or of another type or shape.
        """
        array = self._find(name)
        if array.dtype != np.int64 or array.shape != shape:
            raise InvalidInputError(
                f"The {self._what}'s {name} is {array.dtype} of the shape {array.shape}, "
                f"not int64 of the shape {shape}."
            )
        return array

    def matrix_shape(self, name: str) -> tuple[int, int]:
        """Return the rows and columns of a matrix.

        Raises:
            InvalidInputError: it is missing or no matrix.
        """
        match self._find(name).shape:
            case (rows, columns):
                return rows, columns
            case shape:
                raise InvalidInputError(f"The {self._what}'s {name} has the shape {shape}.")

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of distinct texts.

        Raises:
            InvalidInputError: it is missing or malformed, or a text is there twice.
        """
        content, offsets = self._find(name + _TEXT), self._find(name + _OFFSETS)
        if (
            content.dtype != np.uint8
            or offsets.dtype != np.int64
            or content.ndim != 1
            or offsets.ndim != 1
            or len(offsets) == 0
            or offsets[0] != 0
            or offsets[-1] != len(content)
            or (np.diff(offsets) < 0).any()
        ):
            raise InvalidInputError(f"The {self._what}'s {name} has offsets that do not fit.")
        raw, ends = content.tobytes(), offsets.tolist()
        try:
            texts = tuple(raw[start:end].decode() for start, end in pairwise(ends))
        except UnicodeDecodeError as error:
            raise InvalidInputError(f"The {self._what}'s {name} is not UTF-8: {error}") from error
        if len(set(texts)) != len(texts):
            raise InvalidInputError(f"The {self._what}'s {name} has an entry twice.")
        return texts

    def _find(self, name: str) -> NDArray[Any]:
        if name not in self._arrays:
            raise InvalidInputError(f"The {self._what} has no array {name!r}.")
        return self._arrays[name]


def pack(arrays: Mapping[str, NDArray[Any]], texts: Mapping[str, Sequence[str]]) -> bytes:
    """Return arrays and lists of text as the bytes of an archive; equal input, equal bytes."""
    members: dict[str, NDArray[Any]] = dict(arrays)
    for name, values in texts.items():
        encoded = [value.encode() for value in values]
        lengths = [len(value) for value in encoded]
        members[name + _TEXT] = np.frombuffer(b"".join(encoded), dtype=np.uint8)
        members[name + _OFFSETS] = np.cumsum([0, *lengths], dtype=np.int64)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **members)
    return buffer.getvalue()


def _read_member(content: bytes) -> NDArray[Any]:
    array: NDArray[Any] = np.load(io.BytesIO(content), allow_pickle=False)
    return array
