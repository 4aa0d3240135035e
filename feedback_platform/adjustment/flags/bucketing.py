"""Who is in which part of a split: GrowthBook's hash, so that its SDKs agree with us.

https://docs.growthbook.io/lib/build-your-own describes the hash, its versions and the ranges.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Final

_OFFSET: Final = 0x811C9DC5
_PRIME: Final = 0x01000193
_MASK: Final = 0xFFFFFFFF
HASH_VERSIONS: Final = (1, 2)


class Bucketing:
    """The place of a value in [0, 1), by one seed and one version of the hash."""

    def __init__(self, seed: str, version: int = 2) -> None:
        self._seed = _code_units(seed)
        self._is_newer = version == HASH_VERSIONS[1]
        # The newer version hashes the seed first, which is the same for everybody.
        self._after_seed = _fnv1a32(self._seed)

    def place(self, value: str) -> float:
        """Return where a value stands: in steps of 1/10,000, of 1/1,000 by the first version."""
        units = _code_units(value)
        if self._is_newer:
            twice = _fnv1a32(str(_fnv1a32(units, self._after_seed)).encode())
            return twice % 10_000 / 10_000
        return _fnv1a32(self._seed, _fnv1a32(units)) % 1000 / 1000


def bucket_ranges(weights: Sequence[float], coverage: float) -> list[tuple[float, float]]:
    """Return the range of places that each of some parts has; its end is not in it.

    Each part begins where it begins at full coverage. So whoever is in stays in, and in the same
    part, when coverage rises.

    Args:
        weights: the share of each part; they add up to 1.
        coverage: the share of each part that is taken, from 0 to 1.
    """
    ranges = []
    begin = 0.0
    for weight in weights:
        ranges.append((begin, begin + coverage * weight))
        begin += weight
    return ranges


def _fnv1a32(units: Iterable[int], state: int = _OFFSET) -> int:
    for unit in units:
        state = (state ^ unit) * _PRIME & _MASK
    return state


def _code_units(text: str) -> Sequence[int]:
    """Return the UTF-16 code units: what JavaScript, the hash's first language, sees of a text."""
    if text.isascii():
        return text.encode()
    encoded = text.encode("utf-16-le", "surrogatepass")
    return struct.unpack(f"<{len(encoded) // 2}H", encoded)
