"""What a visitor chose to look at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final, Literal

Bucket = Literal["day", "week", "month"]
# More points than these are no longer told apart on a screen.
_MOST_DAYS: Final = 62
_MOST_WEEKS_IN_DAYS: Final = 550


@dataclass(frozen=True)
class Period:
    """Days in a row.

    Attributes:
        first, last: both are part of it; UTC.
    """

    first: date
    last: date

    @property
    def days(self) -> int:
        """How many."""
        return (self.last - self.first).days + 1

    @property
    def before(self) -> Period:
        """As many days, which end the day before this begins."""
        return Period(self.first - timedelta(days=self.days), self.first - timedelta(days=1))

    @property
    def bucket(self) -> Bucket:
        """What one point of a chart stands for."""
        if self.days <= _MOST_DAYS:
            return "day"
        return "week" if self.days <= _MOST_WEEKS_IN_DAYS else "month"

    def newest(self, days: int) -> Period:
        """Return its newest days, or all of it when it is shorter."""
        return Period(max(self.first, self.last - timedelta(days=days - 1)), self.last)


@dataclass(frozen=True)
class Choice:
    """A period, and parts of the product and its users; nothing chosen means all.

    Attributes:
        period: which days.
        segments: ids of segments, as `metrics.engagement_daily` has them.
        placements: parts of the product.
        variants: of experiments.
    """

    period: Period
    segments: tuple[str, ...] = ()
    placements: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()

    @property
    def days(self) -> dict[str, Any]:
        """The period as parameters of a query."""
        return {"first": self.period.first, "last": self.period.last}
