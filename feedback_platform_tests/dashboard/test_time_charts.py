"""Axes of time, as a reader of a chart meets them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from feedback_platform.dashboard.charts import time
from feedback_platform.dashboard.charts.moments import moments
from feedback_platform.dashboard.choice import Period
from feedback_platform.dashboard.theme import LIGHT


def _written(day: date) -> dict[str, object]:
    return {"year": day.year, "month": day.month, "date": day.day, "utc": True}


def _rejected(days: list[date]) -> pl.DataFrame:
    return pl.DataFrame({"day": days, "reason": ["invalid_type"] * len(days), "events": 3})


def test_bars_of_two_days_stand_within_the_whole_period() -> None:
    period = Period(date(2026, 1, 1), date(2026, 2, 15))

    drawn = time.stacked(
        _rejected([date(2026, 2, 6), date(2026, 2, 7)]),
        LIGHT, value="events", part="reason", title="Rejected", period=period,
    ).to_dict()  # fmt: skip

    domain = drawn["encoding"]["x"]["scale"]["domain"]
    assert domain == [_written(period.first), _written(period.last)]


def test_the_week_in_which_a_period_begins_is_not_cut_off() -> None:
    thursday = date(2026, 1, 1)
    monday = date(2025, 12, 29)

    drawn = time.stacked(
        _rejected([monday]),
        LIGHT, value="events", part="reason", title="Rejected",
        period=Period(thursday, date(2026, 6, 30)),
    ).to_dict()  # fmt: skip

    assert drawn["encoding"]["x"]["scale"]["domain"][0] == _written(monday)


def test_an_axis_of_two_days_names_each_once() -> None:
    days = [date(2026, 2, 6), date(2026, 2, 7)]
    frame = pl.DataFrame({"day": days, "ctr": [0.1, 0.2], "shown": [10, 20]})

    _, lower = time.line(
        frame, LIGHT, value="ctr", title="Click-through", form=".0%", bucket="day",
        size="shown", size_title="Shown",
    )  # fmt: skip

    assert lower.to_dict()["encoding"]["x"]["axis"]["values"] == [_written(d) for d in days]


@pytest.mark.parametrize(("days", "form"), [(1, "%-d %b, %H:%M"), (20, "%-d %b")])
def test_moments_of_few_days_are_told_apart_by_the_hour(days: int, form: str) -> None:
    noon = datetime(2026, 2, 6, 12, tzinfo=UTC)
    frame = pl.DataFrame(
        {"at": [noon, noon + timedelta(days=days)], "what": "flag", "how": "applied"}
    )

    drawn = moments(
        frame, LIGHT, at="at", row="what", title="Changed", kind="how", text="how"
    ).to_dict()

    assert drawn["layer"][0]["encoding"]["x"]["axis"]["format"] == form
