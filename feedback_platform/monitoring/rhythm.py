"""What a stream is usually like at this time of the day.

What people do has a rhythm of a day: they click less at night than in the evening, and both are as
ever. So a level is held against that of the same hours of the days before. For that a stream is
summed up by the hour (UTC); the sums of two weeks are enough, however much there is to see.

The days of a week differ, too. Where the same hours of a week before are known, what is new must be
so beside them as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

_DAY: Final = 24
_WEEK: Final = 7 * _DAY
# A stretch of up to a week, the week before it, and what is left of the hours at either end.
_KEPT: Final = 2 * _WEEK + _DAY
_MICROSECONDS: Final = timedelta(hours=1) // timedelta(microseconds=1)

# Of a stretch so much has to lie in hours that are known from days before.
_LEAST_KNOWN: Final = 0.9
# Standard errors: ADWIN's own bound (delta .00005, both sides), as each block is another look.
_UNLIKE: Final = 4.0


class Hour(NamedTuple):
    """The observations of an hour.

    Attributes:
        hour: hours since 1970 (UTC).
        size: how many there are.
        total, squares: the sum of them, and of their squares.
    """

    hour: int
    size: int
    total: float
    squares: float


@dataclass(frozen=True)
class Usual:
    """What is usual at the hours of a stretch.

    Attributes:
        mean: of the same hours of the days before; NaN where they are not known.
        is_other: whether the stretch is certainly unlike that.
        began_at, hours: its first hour, since 1970, and how long it is.
    """

    mean: float
    is_other: bool
    began_at: int
    hours: int


class Rhythm:
    """A stream by the hour: what is known of it, and the observations of a batch."""

    def __init__(
        self,
        known: Sequence[Hour],
        values: npt.NDArray[np.float64],
        times: npt.NDArray[np.int64],
        *,
        since: int = 0,
    ) -> None:
        """Add the observations of a batch.

        Args:
            known: the hours before, in their order.
            values: in the order of their times.
            times: microseconds since 1970 (UTC).
            since: the first hour that tells what days are like, since the last change.
        """
        self.since = since
        self._hours = times // _MICROSECONDS
        self._numbers, places = np.unique(
            np.concatenate([np.array([each.hour for each in known], dtype=np.int64), self._hours]),
            return_inverse=True,
        )
        # One by one and in order, so that no cut between batches changes a single bit.
        self._counts, self._totals, self._squares = (
            _added_up(len(self._numbers), places, np.concatenate([before, now]))
            for before, now in (
                (np.array([float(each.size) for each in known]), np.ones(len(values))),
                (np.array([each.total for each in known]), values),
                (np.array([each.squares for each in known]), values * values),
            )
        )
        self._later = np.searchsorted(self._hours, self._hours, side="right")

    def hours(self) -> tuple[Hour, ...]:
        """Return what has to be known of the hours when the next batch comes."""
        if not len(self._numbers):
            return ()
        rows = zip(self._numbers, self._counts, self._totals, self._squares, strict=True)
        first = self._numbers[-1] - _KEPT
        return tuple(
            Hour(int(number), int(count), float(total), float(squares))
            for number, count, total, squares in rows
            if number > first
        )

    def usual(self, seen: int, width: int, mean: float) -> Usual | None:
        """Return what is usual at the hours of the newest stretch.

        Args:
            seen: how many observations of the batch there have been.
            width: how many observations the stretch has, those of earlier batches among them.
            mean: theirs.

        Returns:
            None where the stretch is longer than a week: that is no rhythm.
        """
        last = int(np.searchsorted(self._numbers, self._hours[seen - 1]))
        counts = self._counts[: last + 1].copy()
        counts[last] -= self._later[seen - 1] - seen
        backwards = np.cumsum(counts[::-1])
        steps = int(np.searchsorted(backwards, width))
        first = last - steps
        if first < 0 or self._numbers[last] - self._numbers[first] >= _WEEK:
            return None
        weights = counts[first:]
        weights[0] -= backwards[steps] - width
        at = self._numbers[first : last + 1]
        began_at = int(self._numbers[first])
        a_week_before = began_at - _WEEK
        since = max(a_week_before, self.since)
        days = self._like(at, weights, first, since=since, until=began_at)
        # Also of before the last change: the end of a weekend is none.
        week = self._like(at, weights, first, since=a_week_before, until=a_week_before + _DAY)
        lasted = int(self._numbers[last]) - began_at
        if days is None:
            return Usual(float("nan"), is_other=False, began_at=began_at, hours=lasted)
        errors = days.errors(mean, width)
        is_other = abs(errors) >= _UNLIKE
        if is_other and week is not None:
            is_other = np.sign(errors) * week.errors(mean, width) >= _UNLIKE
        return Usual(days.mean, bool(is_other), began_at, lasted)

    def _like(
        self,
        at: npt.NDArray[np.int64],
        weights: npt.NDArray[np.float64],
        first: int,
        *,
        since: int,
        until: int,
    ) -> _Like | None:
        """Return what the same hours of days before were like; None where too little is known.

        Args:
            at: the hours of the stretch.
            weights: how many observations it has in each.
            first: place of its first hour.
            since, until: which hours count, the last left out.
        """
        begins = int(np.searchsorted(self._numbers, since))
        ends = min(first, int(np.searchsorted(self._numbers, until)))
        of_day = self._numbers[begins:ends] % _DAY
        counts, totals, squares = (
            np.bincount(of_day, each[begins:ends], _DAY)
            for each in (self._counts, self._totals, self._squares)
        )
        wanted = np.bincount(at % _DAY, weights, _DAY)
        is_known = (counts > 0) & (wanted > 0)
        share = wanted[is_known] / wanted.sum()
        if share.sum() < _LEAST_KNOWN:
            return None
        share /= share.sum()
        counts, totals, squares = (each[is_known] for each in (counts, totals, squares))
        size = counts.sum()
        variance = squares.sum() / size - (totals.sum() / size) ** 2
        return _Like(
            mean=float(share @ (totals / counts)),
            # Nothing that was seen so often varies less than one that was otherwise would tell.
            variance=max(float(variance), 1 / float(size)),
            weight=float((share * share / counts).sum()),
        )


@dataclass(frozen=True)
class _Like:
    """The same hours of days before; `weight` times the variance is that of the mean."""

    mean: float
    variance: float
    weight: float

    def errors(self, mean: float, width: int) -> float:
        """Return by how many standard errors the mean of so many observations is above it."""
        return float((mean - self.mean) / np.sqrt(self.variance * (self.weight + 1 / width)))


def _added_up(
    size: int, places: npt.NDArray[np.int64], values: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    sums = np.zeros(size)
    np.add.at(sums, places, values)
    return sums
