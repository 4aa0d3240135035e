from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from feedback_platform.monitoring.drift import DriftEvent, StreamState, advance
from feedback_platform.monitoring.rhythm import Hour, Rhythm

# A Monday.
START = datetime(2026, 3, 2, tzinfo=UTC)
FIRST = round(START.timestamp()) // 3_600
A_DAY = 20_000
Floats = npt.NDArray[np.float64]


def test_a_level_is_held_against_the_same_hours_of_the_days_before() -> None:
    # On either day 100 at hour 10, 200 at hour 11; then 50 at hour 10, and 25 at hour 11 so far.
    known = [
        Hour(FIRST + 10, 100, 20.0, 20.0),
        Hour(FIRST + 11, 200, 80.0, 80.0),
        Hour(FIRST + 34, 100, 40.0, 40.0),
        Hour(FIRST + 35, 200, 40.0, 40.0),
    ]
    hours = [FIRST + 58] * 50 + [FIRST + 59] * 75
    rhythm = Rhythm(known, np.ones(125), np.array(hours) * 3_600_000_000)

    usual = rhythm.usual(seen=75, width=75, mean=1.0)

    assert usual is not None
    # .3 in both hours, of 200 and of 400.
    assert usual.mean == pytest.approx((50 * 0.3 + 25 * 0.3) / 75)
    assert usual.is_other
    assert usual.hours == 1
    near = rhythm.usual(seen=75, width=75, mean=0.4)
    # A standard error is above .05.
    assert near is not None
    assert not near.is_other


def test_hours_of_which_nothing_is_known_say_nothing() -> None:
    known = [Hour(FIRST + hour, 100, 20.0, 20.0) for hour in range(10)]
    rhythm = Rhythm(known, np.ones(50), np.full(50, FIRST + 34) * 3_600_000_000)

    usual = rhythm.usual(seen=50, width=50, mean=1.0)

    assert usual is not None
    assert not usual.is_other
    assert np.isnan(usual.mean)


def test_what_has_lasted_for_a_week_is_no_rhythm() -> None:
    known = [Hour(FIRST, 100, 20.0, 20.0)]
    times = (FIRST + np.arange(7 * 24 + 1)) * 3_600_000_000

    rhythm = Rhythm(known, np.ones(len(times)), times)

    assert rhythm.usual(seen=len(times), width=len(times), mean=1.0) is None


def test_a_state_keeps_the_hours_of_two_weeks() -> None:
    times = (FIRST + np.arange(60 * 24)) * 3_600_000_000

    hours = Rhythm([], np.full(len(times), 0.5), times).hours()

    assert len(hours) == 15 * 24
    assert hours[-1] == Hour(FIRST + 60 * 24 - 1, 1, 0.5, 0.25)


def test_a_day_that_goes_up_and_down_is_no_change() -> None:
    rates = _daily(0.5, days=10)

    assert _found(rates) == []
    # It is one to whoever does not look at the clock.
    assert _found(rates, has_rhythm=False)


def test_a_weekend_is_no_change_from_the_second_one_on() -> None:
    rates = _daily(0.2, days=21)
    is_weekend = np.arange(len(rates)) // A_DAY % 7 >= 5

    found = _found(np.where(is_weekend, 0.7 * rates, rates))

    assert all(event.detected_at < START + timedelta(days=8) for event in found)


@pytest.mark.parametrize("amplitude", [0, 0.5])
def test_a_fall_beneath_a_daily_rhythm_is_found_within_a_day(amplitude: float) -> None:
    rates = _daily(amplitude, days=11)
    rates[8 * A_DAY :] *= 0.6

    event, *others = _found(rates)

    assert timedelta(0) < event.detected_at - START - timedelta(days=8) < timedelta(days=1)
    assert event.after_mean < 0.9 * event.before_mean
    # Two at the most: the cut may lie before the fall, and then the rest of it is another.
    assert len(others) <= 1


def test_the_first_day_of_a_stream_has_no_change() -> None:
    assert _found(np.repeat([0.1, 0.4], A_DAY // 2)) == []


def _daily(amplitude: float, days: int) -> Floats:
    return 0.1 * (1 + amplitude * np.sin(2 * np.pi * np.arange(days * A_DAY) / A_DAY))


def _found(rates: Floats, *, has_rhythm: bool = True) -> list[DriftEvent]:
    clicks = (np.random.default_rng(1).random(len(rates)) < rates).astype(np.float64)
    apart = timedelta(days=1) // A_DAY
    times = START + pl.int_range(len(rates), eager=True) * pl.lit(apart)
    series = pl.select(times).to_series()
    _, events = advance(
        StreamState("click_through"), pl.Series(clicks), series, has_rhythm=has_rhythm
    )
    return events
