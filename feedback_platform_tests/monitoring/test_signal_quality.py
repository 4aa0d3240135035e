from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl

from feedback_platform.monitoring.signal_quality import QUALITY_SCHEMA, signal_quality
from feedback_platform.monitoring.signal_windows import CONVERTED, NPS, USER_DAYS, VISIT

FIRST = date(2026, 3, 1)
AS_OF = FIRST + timedelta(days=42)
WEIGHTS = pl.DataFrame(
    [("click", 0.6, 0.6, 0.25), ("rating", 0.0, 1.0, 0.9), ("dismissal", 0.0, 0.0, 0.8)],
    schema=["signal", "score_low", "score_high", "confidence"],
    orient="row",
)
NOBODY = pl.DataFrame(schema={"user_id": pl.String(), "signal": pl.String()})


def planted(users: int, seed: int = 1) -> pl.DataFrame:
    """Six weeks of users of whom a hidden contentment decides ratings and visits, nothing else."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(users):
        contentment = random.standard_normal()
        comes = random.random(42) < 1 / (1 + np.exp(0.5 - contentment))
        for day in np.flatnonzero(comes):
            stars = np.clip(0.5 + 0.15 * contentment + 0.1 * random.standard_normal(), 0, 1)
            here = (f"u{number}", FIRST + timedelta(days=int(day)))
            rows.append((*here, VISIT, 1, 0.0))
            if random.random() < 0.5:
                rows.append((*here, "rating", 1, float(stars)))
            if random.random() < 0.3:
                rows.append((*here, "click", int(random.integers(1, 4)), 0.6))
            if random.random() < 0.1:
                rows.append((*here, CONVERTED, 1, 0.0))
    return pl.DataFrame(rows, schema=USER_DAYS, orient="row")


DAYS = planted(80)


def row(quality: pl.DataFrame, signal: str, target: str, horizon: int = 7) -> dict[str, float]:
    chosen = quality.filter(signal=signal, target=target, horizon_days=horizon)
    return chosen.row(0, named=True)


def test_the_signal_that_was_planted_is_found_and_the_one_that_was_not_is_not() -> None:
    quality = signal_quality(planted(300), NOBODY, WEIGHTS, AS_OF)

    assert quality.schema == QUALITY_SCHEMA
    assert row(quality, "rating", "retention")["low"] > 0.3
    assert row(quality, "rating", "retention")["partial_low"] > 0.05
    click = row(quality, "click", "retention")
    assert click["partial_low"] < 0 < click["partial_high"]
    # Who comes every day has more days on which to convert.
    assert row(quality, "rating", "conversion")["low"] > 0
    assert row(quality, "rating", "conversion")["partial_low"] < 0.1
    # Nobody ever dismissed anything or answered a survey.
    assert set(quality["signal"]) == {"click", "rating"}


def test_of_each_horizon_it_says_of_how_many_users_and_dates_it_speaks() -> None:
    quality = signal_quality(DAYS, NOBODY, WEIGHTS, AS_OF)

    assert dict(quality.select("horizon_days", "anchors").unique().rows()) == {7: 4, 14: 2, 28: 1}
    week = row(quality, "click", "retention")
    assert week["users"] <= 80 < week["observations"] <= 320
    assert set(quality["as_of"]) == {datetime(2026, 4, 12, tzinfo=UTC)}
    assert dict(quality.select("signal", "measure").unique().rows()) == {
        "click": "per visit",
        "rating": "mean value",
    }


def test_what_happens_on_the_day_of_as_of_or_later_changes_nothing() -> None:
    later = [(f"u{n}", AS_OF + timedelta(days=n % 3), VISIT, 9, 0.0) for n in range(80)]
    more = pl.concat([DAYS, pl.DataFrame(later, schema=USER_DAYS, orient="row")])

    quality = signal_quality(DAYS, NOBODY, WEIGHTS, AS_OF)

    assert signal_quality(more, NOBODY, WEIGHTS, AS_OF).equals(quality)


def test_who_switched_a_signal_off_takes_no_part_where_it_is_about_that_signal() -> None:
    days = planted(120)
    visits = days.filter(pl.col("name") == VISIT).group_by("user_id").len()
    first, second = visits.sort("len", "user_id")["user_id"].tail(2)
    off = pl.DataFrame(
        [(first, "click"), (second, "conversion")], schema=NOBODY.schema, orient="row"
    )
    quality = signal_quality(days, off, WEIGHTS, AS_OF)
    others = signal_quality(days.filter(pl.col("user_id") != first), NOBODY, WEIGHTS, AS_OF)
    everybody = signal_quality(days, NOBODY, WEIGHTS, AS_OF)

    assert row(quality, "click", "retention") == row(others, "click", "retention")
    assert row(quality, "rating", "retention") == row(everybody, "rating", "retention")
    users = {
        name: row(found, "click", "conversion")["users"]
        for name, found in (("those", quality), ("everybody", everybody))
    }
    assert users == {"those": 116, "everybody": 118}


def test_without_enough_users_or_days_nothing_is_said() -> None:
    assert signal_quality(planted(49), NOBODY, WEIGHTS, AS_OF).is_empty()
    assert signal_quality(DAYS, NOBODY, WEIGHTS, FIRST + timedelta(days=20)).is_empty()
    nothing = signal_quality(pl.DataFrame(schema=USER_DAYS), NOBODY, WEIGHTS, AS_OF)
    assert (nothing.schema, nothing.height) == (QUALITY_SCHEMA, 0)
    assert NPS not in set(signal_quality(DAYS, NOBODY, WEIGHTS, AS_OF)["signal"])
