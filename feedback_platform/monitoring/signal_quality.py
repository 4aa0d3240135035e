"""What each feedback signal says of the days to come: does who sends it come back, and convert?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Final

import numpy as np
import polars as pl

from feedback_platform.monitoring.correlation import Correlation, correlate
from feedback_platform.monitoring.signal_windows import (
    DAY,
    MOST_ANCHORS,
    NPS,
    SIGNAL_DAYS,
    USER,
    anchors,
    observations,
    windows,
)

HORIZONS: Final = (7, 14, 28)
# How many days before today there is anything to read of.
DAYS_READ: Final = MOST_ANCHORS * max(HORIZONS) + SIGNAL_DAYS
TARGETS: Final = ("retention", "conversion")
# Whoever switched this signal off takes no part where it is the target.
_SIGNAL_OF: Final = {"conversion": "conversion"}

MEAN: Final = "mean value"
RATE: Final = "per visit"

QUALITY_SCHEMA: Final = pl.Schema(
    {
        "signal": pl.String(),
        "target": pl.String(),
        "horizon_days": pl.Int64(),
        "users": pl.Int64(),
        "correlation": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
        "p_value": pl.Float64(),
        "as_of": pl.Datetime("us", "UTC"),
        "partial_correlation": pl.Float64(),
        "partial_low": pl.Float64(),
        "partial_high": pl.Float64(),
        "partial_p_value": pl.Float64(),
        "observations": pl.Int64(),
        "anchors": pl.Int64(),
        "signal_days": pl.Int64(),
        "measure": pl.String(),
    }
)


def signal_quality(
    days: pl.DataFrame, switched_off: pl.DataFrame, weights: pl.DataFrame, as_of: date
) -> pl.DataFrame:
    """Return how each signal goes together with what its users did later (`QUALITY_SCHEMA`).

    Args:
        days: what users did by day (`USER_DAYS`), of those alone who take part.
        switched_off: user_id and signal, of signals that a user does not want to count.
        weights: signal, score_low and score_high of each that gives feedback.
        as_of: the first day that is not over.
    """
    at = datetime.combine(as_of, time(), tzinfo=UTC)
    rows = []
    if not days.is_empty():
        first_day = days[DAY].min()
        assert isinstance(first_day, date)  # noqa: S101 - it has days
        for horizon in HORIZONS:
            dates = anchors(first_day, as_of, horizon)
            cut = windows(days, dates, horizon)
            for signal, is_valued in _measures(weights).items() if cut else ():
                table = observations(cut, signal, is_valued=is_valued)
                table = _taking_part(table, switched_off, signal)
                for target in TARGETS:
                    found = _correlated(_taking_part(table, switched_off, target), target)
                    if found is not None:
                        key = {"signal": signal, "target": target, "horizon_days": horizon}
                        how = {"anchors": len(dates), "measure": MEAN if is_valued else RATE}
                        rows.append(key | how | {"as_of": at} | _figures(*found))
    return pl.DataFrame(rows, schema=QUALITY_SCHEMA).sort("horizon_days", "target", "signal")


def _measures(weights: pl.DataFrame) -> Mapping[str, bool]:
    """Return of each signal whether it has a value."""
    rows = weights.select("signal", "score_low", "score_high").sort("signal").iter_rows()
    return {signal: low < high for signal, low, high in rows} | {NPS: True}


def _taking_part(table: pl.DataFrame, switched_off: pl.DataFrame, name: str) -> pl.DataFrame:
    off = switched_off.filter(pl.col("signal") == _SIGNAL_OF.get(name, name))
    return table.join(off, on=USER, how="anti")


def _correlated(table: pl.DataFrame, target: str) -> tuple[Correlation, Correlation] | None:
    """Return the correlation with a target, as it is and with the visits before taken out."""
    figure, later = table["figure"].to_numpy(), table[target].to_numpy()
    users = table[USER].rank("dense").to_numpy().astype(np.int64)
    strata = table["anchor"].to_physical().to_numpy().astype(np.int64)
    plain = correlate(figure, later, users, strata=strata)
    visits = table["visits"].to_numpy()
    partial = correlate(figure, later, users, strata=strata, controls=[visits])
    return None if plain is None or partial is None else (plain, partial)


def _figures(plain: Correlation, partial: Correlation) -> dict[str, object]:
    return {
        "users": plain.users,
        "correlation": plain.value,
        "low": plain.low,
        "high": plain.high,
        "p_value": plain.p_value,
        "partial_correlation": partial.value,
        "partial_low": partial.low,
        "partial_high": partial.high,
        "partial_p_value": partial.p_value,
        "observations": plain.observations,
        "signal_days": SIGNAL_DAYS,
    }
