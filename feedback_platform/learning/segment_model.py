"""The centres of segments, as they are stored."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.arrays import ArrayReader, pack
from feedback_platform.learning.user_matrix import UserMatrix

# The segments' numbers, and after them the next free one.
_NUMBERS: Final = "numbers"


@dataclass(frozen=True, eq=False)
class SegmentModel:
    """The centres of the segments; assigns users who were not there at training, too.

    Attributes:
        categories: the categories, sorted.
        centres: (segments x categories), means of square-rooted shares.
        ids: the segments' numbers, rising, a row of the centres each.
        next_id: the smallest number that no segment has ever had.
    """

    categories: tuple[str, ...]
    centres: NDArray[np.float32]
    ids: tuple[int, ...]
    next_id: int

    def assign(self, matrix: UserMatrix) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return each user's nearest centre (users,), a row, and the distance to it (users,).

        The distance is Euclidean between square-rooted shares, from 0 to √2. Categories that were
        unknown at training add the same to every distance of a user.
        """
        columns = {name: column for column, name in enumerate(self.categories)}
        points = np.zeros((len(matrix.user_ids), len(self.categories)))
        for own, category in enumerate(matrix.categories):
            if category in columns:
                points[:, columns[category]] = np.sqrt(matrix.shares[:, own])
        centres = self.centres.astype(np.float64)
        # |a - b|² = |a|² - 2ab + |b|², where every user's |a|² is the sum of the shares, 1.
        squared = np.maximum(1 - 2 * points @ centres.T + (centres**2).sum(axis=1), 0)
        nearest = squared.argmin(axis=1)
        return nearest, np.sqrt(np.take_along_axis(squared, nearest[:, None], axis=1)[:, 0])

    def to_bytes(self) -> bytes:
        """Return the model as a `.npz` archive without pickles."""
        numbers = np.array([*self.ids, self.next_id], dtype=np.int64)
        return pack({"centres": self.centres, _NUMBERS: numbers}, {"categories": self.categories})

    @classmethod
    def from_bytes(cls, data: bytes) -> SegmentModel:
        """Return the model that `to_bytes` wrote, or wrote before segments kept their numbers.

        Raises:
            InvalidInputError: the bytes are damaged, or their parts do not fit together.
        """
        reader = ArrayReader(data, "segment model")
        categories, (segments, _) = reader.texts("categories"), reader.matrix_shape("centres")
        if not segments or not categories:
            raise InvalidInputError("The segment model has no segments or no categories.")
        numbers = list(range(segments + 1))
        if _NUMBERS in reader:
            numbers = reader.integers(_NUMBERS, (segments + 1,)).tolist()
        if numbers[0] < 0 or any(one >= other for one, other in pairwise(numbers)):
            raise InvalidInputError("The segment model's numbers do not rise from 0 or above.")
        centres = reader.floats("centres", (segments, len(categories)))
        return cls(categories, centres, tuple(numbers[:-1]), numbers[-1])
