"""Axes of time, as a reader of a chart meets them."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl

from feedback_platform.dashboard.charts import time
from feedback_platform.dashboard.choice import Period
from feedback_platform.dashboard.theme import LIGHT


def _milliseconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)


def _rejected(days: list[date]) -> pl.DataFrame:
    return pl.DataFrame({"day": days, "reason": ["invalid_type"] * len(days), "events": 3})


def test_bars_of_two_days_stand_within_the_whole_period() -> None:
    period = Period(date(2026, 1, 1), date(2026, 2, 15))

    drawn = time.stacked(
        _rejected([date(2026, 2, 6), date(2026, 2, 7)]),
        LIGHT, value="events", part="reason", title="Rejected", period=period,
    ).to_dict()  # fmt: skip

    domain = drawn["encoding"]["x"]["scale"]["domain"]
    assert domain == [_milliseconds(period.first), _milliseconds(period.last)]


def test_the_week_in_which_a_period_begins_is_not_cut_off() -> None:
    thursday = date(2026, 1, 1)
    monday = date(2025, 12, 29)

    drawn = time.stacked(
        _rejected([monday]),
        LIGHT, value="events", part="reason", title="Rejected",
        period=Period(thursday, date(2026, 6, 30)),
    ).to_dict()  # fmt: skip

    assert drawn["encoding"]["x"]["scale"]["domain"][0] == _milliseconds(monday)


def test_an_axis_of_two_days_names_each_once() -> None:
    days = [date(2026, 2, 6), date(2026, 2, 7)]
    frame = pl.DataFrame({"day": days, "ctr": [0.1, 0.2], "shown": [10, 20]})

    _, lower = time.line(
        frame, LIGHT, value="ctr", title="Click-through", form=".0%", bucket="day",
        size="shown", size_title="Shown",
    )  # fmt: skip

    assert lower.to_dict()["encoding"]["x"]["axis"]["values"] == [_milliseconds(d) for d in days]
