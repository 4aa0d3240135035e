"""What the platform says of the story, read where everybody reads: in the published tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from feedback_platform.adjustment.rules.metrics import METRICS as OBSERVED
from feedback_platform.experiments.analysis import Analysis, analyse
from feedback_platform.experiments.definition import Experiment
from feedback_platform.experiments.sums import COUNT, TOTAL, Sums
from feedback_platform.warehouse.published import query

CLICK_THROUGH: Final = "click_through_rate"

# A user's impressions from the first exposure on; who was exposed to two variants counts nowhere.
_ARMS: Final = f"""
    with exposed as (
        select user_id, any_value(variant) as variant, min(occurred_at) as since
        from interaction.interactions
        where
            event_type = 'experiment_exposed'
            and experiment_id = $3
            and occurred_at > $1::timestamp
            and occurred_at <= $2::timestamp
        group by user_id
        having count(distinct variant) = 1
    ),

    observed as ({OBSERVED[CLICK_THROUGH].observed}),

    by_user as (
        select
            exposed.variant,
            count(observed.value)::double as given,
            coalesce(sum(observed.value), 0) as total
        from exposed
        left join observed
            on exposed.user_id = observed.user_id and observed.occurred_at >= exposed.since
        group by exposed.variant, exposed.user_id
    )

    select
        variant,
        count(*) as users,
        sum(given) as given,
        sum(total) as total,
        sum(given * given) as given_given,
        sum(total * total) as total_total,
        sum(total * given) as total_given
    from by_user
    group by variant
"""  # noqa: S608 - put together from what stands in the package
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


@dataclass(frozen=True)
class Training:
    """A version of the recommender, and how it came about."""

    version: str
    trained_at: datetime
    trigger: str
    status: str


class Readings:
    """Reads the published database of an installation."""

    def __init__(self, published: Path) -> None:
        self._published = published

    def experiment(self, experiment: Experiment, begins: datetime, ends: datetime) -> Analysis:
        """Return what an experiment has found between two times (UTC), as of now."""
        rows = self._rows(_ARMS, [_naive(begins), _naive(ends), experiment.key])
        arms = {
            row["variant"]: Sums(
                row["users"],
                {TOTAL: row["total"], COUNT: row["given"]},
                {
                    (TOTAL, TOTAL): row["total_total"],
                    (TOTAL, COUNT): row["total_given"],
                    (COUNT, COUNT): row["given_given"],
                },
            )
            for row in rows
        }
        users = {variant: sums.users for variant, sums in arms.items()}
        return analyse(experiment, users, {CLICK_THROUGH: arms})

    def rate(self, experiment: str, variant: str, begins: datetime, ends: datetime) -> Rate:
        """Return the click-through of the users of a variant between two times (UTC)."""
        (row,) = self._rows(_RATE, [_naive(begins), _naive(ends), experiment, variant])
        return Rate(row["clicks"], row["impressions"])

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
