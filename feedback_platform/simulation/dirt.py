"""What goes wrong on the way: lost and absurd dwell times, lateness, repetition, wrong clocks.

Every function takes the events of `delivery` and returns them with its own kind of dirt; a column
of its own marks what it touched, so that what was planted can be counted in what was received.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from feedback_platform.events import columns as c
from feedback_platform.simulation.delivery import OCCURRED_MS, RECEIVED_MS, SENT_MS, trips
from feedback_platform.simulation.parameters import Dirt
from feedback_platform.simulation.population import Integers

DWELL_LOST: Final = "is_dwell_lost"
DWELL_ABSURD: Final = "is_dwell_absurd"
LATE: Final = "is_late"
REPEATED: Final = "is_repeated"

_DWELL_TYPES: Final = ("item_viewed", "item_used")
_MINUTE_MS: Final = 60_000
_HOUR_MS: Final = 3_600_000


@dataclass(frozen=True)
class Spans:
    """Between what and what dirt ranges, in milliseconds; the latest event is in the rates."""

    earliest_late: float = 1 * _HOUR_MS
    first_repeat: float = 1 * _MINUTE_MS
    last_repeat: float = 6 * _HOUR_MS
    least_skew: float = 2 * _MINUTE_MS
    most_skew: float = 6 * _HOUR_MS


def spoil_dwell(events: pl.DataFrame, dirt: Dirt, random: np.random.Generator) -> pl.DataFrame:
    """Lose some dwell times, and multiply others as if a tab had been left open."""
    has_dwell = pl.col(c.EVENT_TYPE).is_in(_DWELL_TYPES)
    luck = pl.Series(random.random(events.height))
    lost = has_dwell & pl.lit(luck < dirt.missing_dwell_rate)
    absurd = has_dwell & ~lost & pl.lit(luck >= 1 - dirt.dwell_outlier_rate)
    return events.with_columns(lost.alias(DWELL_LOST), absurd.alias(DWELL_ABSURD)).with_columns(
        pl.when(DWELL_ABSURD)
        .then(pl.col(c.VALUE) * dirt.dwell_outlier_factor)
        .when(~pl.col(DWELL_LOST))
        .then(c.VALUE)
        .alias(c.VALUE)
    )


def delay(events: pl.DataFrame, dirt: Dirt, random: np.random.Generator) -> pl.DataFrame:
    """Hold some events of users back for hours, as a client without a network does."""
    luck = pl.Series(random.random(events.height))
    # The trip comes on top, and even with it nothing is later than the latest.
    latest = dirt.latest_hours * _HOUR_MS - _MINUTE_MS
    held = random.uniform(Spans().earliest_late, latest, events.height).astype(np.int64)
    late = pl.col(c.USER_ID).is_not_null() & pl.lit(luck < dirt.late_rate)
    return events.with_columns(late.alias(LATE)).with_columns(
        pl.when(LATE).then(pl.col(name) + pl.Series(held)).otherwise(name).alias(name)
        for name in (SENT_MS, RECEIVED_MS)
    )


def repeat(events: pl.DataFrame, dirt: Dirt, random: np.random.Generator) -> pl.DataFrame:
    """Deliver some events once more, minutes to hours later, by a client that saw no answer."""
    again = events.filter(pl.Series(random.random(events.height) < dirt.duplicate_rate))
    spans = Spans()
    later = pl.Series(_log_uniform(spans.first_repeat, spans.last_repeat, again.height, random))
    trip = pl.Series(trips(again.height, random))
    again = again.with_columns(
        (pl.col(RECEIVED_MS) + later).alias(SENT_MS),
        (pl.col(RECEIVED_MS) + later + trip).alias(RECEIVED_MS),
        pl.lit(value=True).alias(REPEATED),
    )
    return pl.concat([events.with_columns(pl.lit(value=False).alias(REPEATED)), again])


def clock_errors(
    user_ids: pl.Series, dirt: Dirt, random: np.random.Generator
) -> tuple[pl.DataFrame, int]:
    """Return by how much each user's clock is ahead (`skew_ms`), and how many are wrong."""
    users = len(user_ids)
    is_wrong = random.random(users) < dirt.skewed_user_rate
    spans = Spans()
    error = _log_uniform(spans.least_skew, spans.most_skew, users, random)
    error = np.where(random.random(users) < 1 / 2, error, -error)
    frame = pl.DataFrame({c.USER_ID: user_ids, "skew_ms": np.where(is_wrong, error, 0)})
    return frame, int(is_wrong.sum())


def skew(events: pl.DataFrame, clocks: pl.DataFrame) -> pl.DataFrame:
    """Shift what the sender's clock says, alike for occurring and sending."""
    ahead = pl.col("skew_ms").fill_null(0)
    return (
        events.join(clocks, on=c.USER_ID, how="left", maintain_order="left")
        .with_columns(pl.col(OCCURRED_MS) + ahead, pl.col(SENT_MS) + ahead)
        .drop("skew_ms")
    )


def _log_uniform(low: float, high: float, count: int, random: np.random.Generator) -> Integers:
    return np.exp(random.uniform(np.log(low), np.log(high), count)).astype(np.int64)
