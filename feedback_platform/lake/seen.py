"""Which raw objects were cleaned already, in little space: numbered ones are kept as ranges.

A collector numbers its objects without gaps and makes thousands of them in an hour. The ledger
carries the newest hours from batch to batch, so a list of keys would soon outweigh the events.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Self

from feedback_platform.lake import keys

_SUFFIX: Final = ".ndjson.zst"
# Longer ids are positions or hashes, which do not follow one another.
_LONGEST_NUMBER: Final = 12

# The key up to its number, and how many digits the number has.
_Series = tuple[str, int]


@dataclass(frozen=True)
class SeenObjects:
    """A set of raw keys.

    Attributes:
        ranges: first and last number, both included, ascending and apart, by series.
        others: the keys that have no number.
    """

    ranges: Mapping[_Series, list[tuple[int, int]]] = field(default_factory=dict)
    others: frozenset[str] = frozenset()

    @classmethod
    def of(cls, raw_keys: Iterable[str]) -> Self:
        """Return the set of some keys."""
        numbers: dict[_Series, list[int]] = {}
        others = set()
        for key in raw_keys:
            numbered = _number(key)
            if numbered is None:
                others.add(key)
            else:
                series, number = numbered
                numbers.setdefault(series, []).append(number)
        ranges = {series: _joined((n, n) for n in found) for series, found in numbers.items()}
        return cls(ranges, frozenset(others))

    @classmethod
    def from_json(cls, content: Any) -> Self:
        """Return the set that `to_json` wrote."""
        ranges = {
            (prefix, int(width)): [(int(first), int(last)) for first, last in found]
            for prefix, by_width in content["numbered"].items()
            for width, found in by_width.items()
        }
        return cls(ranges, frozenset(content["others"]))

    def to_json(self) -> dict[str, Any]:
        """Return what json.dumps accepts."""
        numbered: dict[str, dict[str, list[tuple[int, int]]]] = {}
        for (prefix, width), found in sorted(self.ranges.items()):
            numbered.setdefault(prefix, {})[str(width)] = found
        return {"numbered": numbered, "others": sorted(self.others)}

    def joined(self, other: SeenObjects) -> SeenObjects:
        """Return the keys of both."""
        ranges = dict(self.ranges)
        for series, found in other.ranges.items():
            ranges[series] = _joined([*ranges.get(series, []), *found])
        return SeenObjects(ranges, self.others | other.others)

    def since(self, hour: datetime) -> SeenObjects:
        """Return the keys received in an hour (UTC) or later."""
        return SeenObjects(
            {key: found for key, found in self.ranges.items() if keys.hour_of(key[0]) >= hour},
            frozenset(key for key in self.others if keys.hour_of(key) >= hour),
        )

    def run_end(self, key: str) -> str | None:
        """Return the last key of the unbroken run of seen keys that holds a key.

        Returns:
            The key itself where it has no number; None when the key has not been seen.
        """
        numbered = _number(key)
        if numbered is None:
            return key if key in self.others else None
        series, number = numbered
        found = self.ranges.get(series, [])
        at = bisect_right(found, (number, float("inf"))) - 1
        if at < 0 or found[at][1] < number:
            return None
        prefix, width = series
        return f"{prefix}{found[at][1]:0{width}d}{_SUFFIX}"


def _number(key: str) -> tuple[_Series, int] | None:
    """Return the series and number of a key, or None where it has none."""
    prefix, _, name = key.rpartition("-")
    digits = name.removesuffix(_SUFFIX)
    is_number = digits.isascii() and digits.isdigit() and len(digits) <= _LONGEST_NUMBER
    if not (prefix and is_number and name.endswith(_SUFFIX)):
        return None
    return (f"{prefix}-", len(digits)), int(digits)


def _joined(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return ranges in order, those that touch or overlap as one."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined
