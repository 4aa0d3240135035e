"""What the platform says of the story, read where everybody reads: in the published tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from feedback_platform.adjustment.rules.metrics import METRICS as OBSERVED
from feedback_platform.warehouse.published import query

CLICK_THROUGH: Final = "click_through_rate"
_STREAM: Final = "click_through"

_RESULT: Final = """
    select
        n, control, mean, effect, low, high, p_value, sequential_low, sequential_high,
        sample_ratio_p_value, decision, reason, read_at
    from metrics.experiment_results
    where experiment_id = ? and metric = ? and variant = ?
"""
_ENDED: Final = "select status, decision from metrics.experiments where experiment_id = ?"
_RATE: Final = f"""
    with exposed as (
        select distinct user_id from interaction.interactions
        where event_type = 'experiment_exposed' and experiment_id = $3 and variant = $4
    ),

    observed as ({OBSERVED[CLICK_THROUGH].observed})

    select count(*) as impressions, coalesce(sum(value), 0)::bigint as clicks
    from observed
    where user_id in (from exposed)
"""  # noqa: S608
_IMPRESSIONS: Final = """
    select count(*) as impressions from interaction.interactions
    where event_type = 'item_impression'
"""
_DRIFT: Final = """
    select stream, detected_at, before_mean, after_mean
    from metrics.drift_events
    order by detected_at, stream
"""
_VERSION: Final = "select status, reason from ml.model_versions where version = ?"
_CHAMPION: Final = """
    select version from ml.model_versions where model = 'recommender' and status = 'champion'
"""
_TRAININGS: Final = """
    select version, trained_at, "trigger", status
    from ml.model_versions
    where model = 'recommender'
    order by trained_at
"""
_QUARANTINE: Final = "select day, reason, events from metrics.quarantine_daily order by day, reason"


@dataclass(frozen=True)
class Rate:
    """Clicks of so many impressions."""

    clicks: int
    impressions: int

    @property
    def value(self) -> float:
        """Their share; NaN of no impressions."""
        return self.clicks / self.impressions if self.impressions else float("nan")


@dataclass(frozen=True)
class Drift:
    """A change that detection found."""

    stream: str
    detected_at: datetime
    before_mean: float
    after_mean: float


def fallen(changes: Sequence[Drift], since: datetime) -> list[Drift]:
    """Return the falls of click-through that were noticed from a time (UTC) on."""
    return [
        each
        for each in changes
        if each.stream == _STREAM
        and each.before_mean > each.after_mean
        and each.detected_at >= since
    ]


@dataclass(frozen=True)
class Training:
    """A version of the recommender, and how it came about."""

    version: str
    trained_at: datetime
    trigger: str
    status: str


@dataclass(frozen=True)
class Result:
    """A row of `metrics.experiment_results`; what could be anything is None."""

    n: int
    control: float | None
    mean: float | None
    effect: float | None
    low: float | None
    high: float | None
    p_value: float | None
    sequential_low: float | None
    sequential_high: float | None
    sample_ratio_p_value: float
    decision: str
    reason: str
    read_at: datetime

    def interval(self, *, is_sequential: bool) -> tuple[float, float]:
        """Return the interval that decides; all numbers where nothing is known."""
        bounds = (
            (self.sequential_low, self.sequential_high) if is_sequential else (self.low, self.high)
        )
        low, high = bounds
        return (-math.inf if low is None else low, math.inf if high is None else high)


class Readings:
    """Reads the published database of an installation."""

    def __init__(self, published: Path) -> None:
        self._published = published

    def result(self, experiment: str, variant: str) -> Result | None:
        """Return what an experiment has found of click-through; None before it has."""
        rows = self._rows(_RESULT, [experiment, CLICK_THROUGH, variant])
        return Result(**rows[0]) if rows else None

    def ended(self, experiment: str) -> tuple[str, str | None]:
        """Return an experiment's status and decision."""
        (row,) = self._rows(_ENDED, [experiment])
        return row["status"], row["decision"]

    def rate(self, experiment: str, variant: str, begins: datetime, ends: datetime) -> Rate:
        """Return the click-through of the users of a variant between two times (UTC)."""
        (row,) = self._rows(_RATE, [_naive(begins), _naive(ends), experiment, variant])
        return Rate(row["clicks"], row["impressions"])

    def impressions(self) -> int:
        """Return how many impressions are known."""
        (row,) = self._rows(_IMPRESSIONS)
        known: int = row["impressions"]
        return known

    def drift(self) -> list[Drift]:
        """Return every change that was found, in the order of finding."""
        return [Drift(**row) for row in self._rows(_DRIFT)]

    def trainings(self) -> list[Training]:
        """Return every version of the recommender, the oldest first."""
        return [Training(**row) for row in self._rows(_TRAININGS)]

    def verdict(self, version: str) -> tuple[str, str]:
        """Return a version's status and reason."""
        (row,) = self._rows(_VERSION, [version])
        return row["status"], row["reason"]

    def champion(self) -> str | None:
        """Return the version in use; None before the first."""
        rows = self._rows(_CHAMPION)
        return rows[0]["version"] if rows else None

    def quarantine(self) -> dict[date, dict[str, int]]:
        """Return how many rows were put aside, by day and reason."""
        found: dict[date, dict[str, int]] = {}
        for row in self._rows(_QUARANTINE):
            found.setdefault(row["day"], {})[row["reason"]] = row["events"]
        return found

    def _rows(self, sql: str, parameters: list[Any] | None = None) -> list[dict[str, Any]]:
        return query(self._published, sql, parameters).to_dicts()


def _naive(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(tzinfo=None)
