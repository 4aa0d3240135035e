"""Satisfaction, against the formulas of the marts on the answers themselves."""

from __future__ import annotations

import math
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_platform.adjustment.rules.intervals import wilson
from feedback_platform.dashboard.choice import Choice, Period
from feedback_platform.dashboard.data import satisfaction
from feedback_platform_tests.dashboard.asking import MONDAY, days, snapshot_of

_Z = 1.959964


def score(promoters: int, passives: int, detractors: int) -> tuple[float, float, float]:
    """NPS and its interval in points, as `metrics.satisfaction_daily` defines them."""
    answers = promoters + passives + detractors
    middle = (promoters - detractors) / (answers + 2)
    variance = (promoters + detractors + 2) / (answers + 2) - middle**2
    reach = _Z * math.sqrt(variance / (answers + 2))
    points = 100 * (promoters - detractors) / answers
    return points, 100 * max(middle - reach, -1.0), 100 * min(middle + reach, 1.0)


@settings(max_examples=10)
@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30)).filter(any),
        min_size=1,
        max_size=7,
    )
)
def test_the_score_of_several_days_is_that_of_all_their_answers(
    tmp_path_factory: pytest.TempPathFactory, counts: list[tuple[int, int, int]]
) -> None:
    scores = [score(*each) for each in counts]
    frame = pl.DataFrame(
        {
            "day": [MONDAY + timedelta(days=each) for each in range(len(counts))],
            "responses": [sum(each) for each in counts],
            "nps": [round(each[0], 6) for each in scores],
            "nps_low": [round(each[1], 6) for each in scores],
            "nps_high": [round(each[2], 6) for each in scores],
            "ratings": 0,
            "average_rating": pl.Series([None] * len(counts), dtype=pl.Float64()),
        }
    )
    snapshot = snapshot_of({"metrics.satisfaction_daily": frame}, tmp_path_factory.mktemp("nps"))

    (row,) = snapshot.ask(satisfaction.nps_total, days(5, 11)).iter_rows(named=True)

    promoters, passives, detractors = (sum(each) for each in zip(*counts, strict=True))
    expected = score(promoters, passives, detractors)
    assert row["responses"] == promoters + passives + detractors
    assert (row["nps"], row["low"], row["high"]) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(
    ("nps", "answers", "low", "high"),
    [
        # By hand: the middle is n / (n + 2), the variance of one answer 1 less its square.
        (100.0, 1, -73.35, 100.0),  # 1/3 - 1.96 sqrt((1 - 1/9) / 3)
        (-100.0, 3, -100.0, 10.12),  # -3/5 + 1.96 sqrt((1 - 9/25) / 5)
        # Nobody decided: 2/6 of the six answers are the two that were added.
        (0.0, 4, -46.20, 46.20),  # 1.96 sqrt((1/3) / 6)
        (100.0, 100, 94.22, 100.0),  # 100/102 - 1.96 sqrt((1 - (100/102)^2) / 102)
    ],
)
def test_answers_that_are_all_alike_have_the_interval_of_the_mart(
    tmp_path: Path, nps: float, answers: int, low: float, high: float
) -> None:
    frame = pl.DataFrame(
        {
            "day": [MONDAY], "responses": [answers], "nps": [nps], "nps_low": [low],
            "nps_high": [high], "ratings": [0],
            "average_rating": pl.Series([None], dtype=pl.Float64()),
        }
    )  # fmt: skip
    snapshot = snapshot_of({"metrics.satisfaction_daily": frame}, tmp_path)

    (row,) = snapshot.ask(satisfaction.nps_total, days(5, 11)).iter_rows(named=True)

    assert (row["nps"], row["low"], row["high"]) == pytest.approx((nps, low, high), abs=0.01)


def test_csat_of_a_week_is_that_of_its_answers(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "day": [MONDAY, MONDAY + timedelta(days=1)],
            "csat_responses": [4, 16],
            "csat": [0.25, 0.75],
            "csat_low": [0.0, 0.0],
            "csat_high": [1.0, 1.0],
        }
    )
    snapshot = snapshot_of({"metrics.satisfaction_daily": frame}, tmp_path)

    (row,) = snapshot.ask(satisfaction.csat, days(5, 25)).iter_rows(named=True)

    expected = wilson(13 / 20, 20, _Z)
    assert (row["responses"], row["csat"]) == (20, 0.65)
    assert (row["low"], row["high"]) == pytest.approx((expected.low, expected.high))


def test_one_day_of_conversion_is_a_share_of_users(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "day": [MONDAY] * 2,
            "segment": ["0", "1"],
            "users": [60, 40],
            "converted_users": [3, 5],
            "conversions": [3, 7],
            "revenue": [30.0, 70.5],
        }
    )
    snapshot = snapshot_of({"metrics.conversion_daily": frame}, tmp_path)

    (row,) = snapshot.ask(satisfaction.conversion, days(5, 5)).iter_rows(named=True)

    expected = wilson(0.08, 100, _Z)
    assert (row["users"], row["converted"], row["conversions"]) == (100, 8, 10)
    assert row["revenue"] == pytest.approx(100.5)
    assert (row["low"], row["high"]) == pytest.approx((expected.low, expected.high))


def test_retention_of_a_week_is_over_all_cohorts_that_have_it(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "cohort_week": [MONDAY, MONDAY, MONDAY + timedelta(days=7)],
            "week": [1, 2, 1],
            "users": [100, 100, 50],
            "returned": [60, 40, 20],
            "retention": [0.6, 0.4, 0.4],
            "low": [0.5, 0.3, 0.3],
            "high": [0.7, 0.5, 0.5],
        }
    )
    snapshot = snapshot_of({"metrics.retention_weekly": frame}, tmp_path)

    rows = snapshot.ask(satisfaction.retention_by_week, days(5, 25))

    assert rows.select("week", "users", "returned").rows() == [(1, 150, 80), (2, 100, 40)]
    assert rows["retention"].to_list() == pytest.approx([80 / 150, 0.4])


@pytest.mark.parametrize(("first", "cohorts"), [(6, 1), (7, 0)])
def test_a_week_that_ended_before_the_period_is_no_part_of_it(
    tmp_path: Path, first: int, cohorts: int
) -> None:
    frame = pl.DataFrame(
        {
            "cohort_week": [MONDAY], "week": [1], "users": [10], "returned": [6],
            "retention": [0.6], "low": [0.3], "high": [0.8],
        }
    )  # fmt: skip
    snapshot = snapshot_of({"metrics.retention_weekly": frame}, tmp_path)
    period = Choice(Period(MONDAY + timedelta(days=first), MONDAY + timedelta(days=20)))

    assert snapshot.ask(satisfaction.retention, period).height == cohorts
    assert snapshot.ask(satisfaction.retention_by_week, period).height == cohorts
