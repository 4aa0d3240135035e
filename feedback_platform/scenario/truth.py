"""What nobody but the simulation knows: expected clicks, by true chances, under each policy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl

# A visit each: when, whom, what was shown and how many clicks it was expected to bring; what both
# policies were, while the experiment ran (null otherwise).
VISITS_SCHEMA = pl.Schema(
    {
        "user_id": pl.String(),
        "at": pl.Datetime("us", "UTC"),
        "variant": pl.String(),
        "model_version": pl.String(),
        "impressions": pl.Int64(),
        "expected": pl.Float64(),
        "expected_control": pl.Float64(),
        "expected_treatment": pl.Float64(),
    }
)


@dataclass(frozen=True)
class Uplift:
    """What a policy is worth, by the true chances of those to whom it could be given.

    Attributes:
        control, treatment: expected clicks for each impression, had all got that policy.
        visits: of which both are known.
    """

    control: float
    treatment: float
    visits: int

    @property
    def effect(self) -> float:
        """Treatment less control."""
        return self.treatment - self.control


def planted_uplift(visits: pl.DataFrame) -> Uplift:
    """Return the uplift over the visits of the users of an experiment, whatever they were given.

    Both policies are asked at each visit: the same users, tastes and times on both sides, so that
    nothing but the policy differs, and nothing of it is by chance but the users themselves.

    Args:
        visits: `VISITS_SCHEMA`; those with a variant count.
    """
    both = visits.filter(
        pl.col("variant").is_not_null()
        & pl.col("expected_control").is_not_null()
        & pl.col("expected_treatment").is_not_null()
    )
    shown = _sum(both, "impressions")
    if not shown:
        return Uplift(0.0, 0.0, 0)
    return Uplift(
        control=_sum(both, "expected_control") / shown,
        treatment=_sum(both, "expected_treatment") / shown,
        visits=both.height,
    )


def expected_rate(visits: pl.DataFrame, variant: str, begins: datetime, ends: datetime) -> float:
    """Return the expected click-through of what users of a variant were shown in a stretch of time.

    Args:
        visits: `VISITS_SCHEMA`.
        variant: of the users, also before and after the experiment.
        begins, ends: UTC; the end is not in it.
    """
    users = visits.filter(pl.col("variant") == variant)["user_id"].unique()
    chosen = visits.filter(
        pl.col("user_id").is_in(users.implode()) & (pl.col("at") >= begins) & (pl.col("at") < ends)
    )
    shown = _sum(chosen, "impressions")
    return _sum(chosen, "expected") / shown if shown else float("nan")


def _sum(visits: pl.DataFrame, column: str) -> float:
    return float(visits[column].to_numpy().sum())
