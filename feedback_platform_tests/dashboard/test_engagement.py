"""Engagement, worked out by hand on a few days."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import polars as pl
import pytest

from feedback_platform.adjustment.rules.intervals import Sample, interval_of
from feedback_platform.dashboard.choice import Choice
from feedback_platform.dashboard.data import engagement, span
from feedback_platform.dashboard.snapshot import Snapshot
from feedback_platform_tests.dashboard.asking import MONDAY, days, snapshot_of

# Day, segment, placement, visits, users, impressions, clicks, seconds, bounces.
ROWS = [
    (0, "1", "home", 10, 8, 100, 10, 60.0, 0.1),
    (0, "2", "home", 30, 9, 200, 40, 20.0, 0.3),
    (0, "2", "sidebar", 5, 5, 50, 0, 20.0, 0.0),
    (1, "1", "home", 20, 8, 300, 30, 30.0, 0.2),
    (1, "unassigned", "none", 2, 2, 0, 0, 10.0, 1.0),
]


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    columns = (
        "day", "segment", "placement", "sessions", "users", "impressions", "clicks",
        "session_seconds", "bounce_rate",
    )  # fmt: skip
    frame = pl.DataFrame(ROWS, schema=list(columns), orient="row")
    dated = frame.with_columns(
        pl.Series("day", [MONDAY + timedelta(days=each) for each in frame["day"]])
    )
    return snapshot_of({"metrics.engagement_daily": dated}, tmp_path)


def test_a_total_weighs_each_part_by_its_size(snapshot: Snapshot) -> None:
    (row,) = snapshot.ask(engagement.totals, days(5, 6)).iter_rows(named=True)

    assert (row["impressions"], row["clicks"], row["visits"]) == (650, 80, 67)
    assert row["ctr"] == pytest.approx(80 / 650)
    # 600 + 600 + 100 + 600 + 20 seconds, and 1 + 9 + 0 + 4 + 2 bounces, of 67 visits.
    assert row["session_seconds"] == pytest.approx(1920 / 67)
    assert row["bounce_rate"] == pytest.approx(16 / 67)
    # Two days say nothing of how days differ.
    assert row["low"] is None


def test_what_was_chosen_narrows_it(snapshot: Snapshot) -> None:
    chosen = Choice(days(5, 5).period, segments=("2",), placements=("home",))

    (row,) = snapshot.ask(engagement.totals, chosen).iter_rows(named=True)

    assert (row["impressions"], row["clicks"]) == (200, 40)


def test_a_period_without_rows_is_a_row_of_nothing(snapshot: Snapshot) -> None:
    (row,) = snapshot.ask(engagement.totals, days(20, 22)).iter_rows(named=True)

    assert (row["impressions"], row["visits"], row["ctr"]) == (0, 0, None)


def test_segments_are_called_by_what_is_known_of_them(snapshot: Snapshot) -> None:
    rows = snapshot.ask(engagement.by_part, days(5, 6), "segment")

    assert rows.select("part", "label", "impressions").rows() == [
        ("1", "Segment 1", 400),
        ("2", "Segment 2", 250),
        ("unassigned", "No segment", 0),
    ]


def test_days_come_together_in_weeks_when_there_are_many(snapshot: Snapshot) -> None:
    rows = snapshot.ask(
        engagement.over_time, Choice(type(days(5, 6).period)(date(2025, 10, 1), date(2026, 1, 31)))
    )

    assert rows.select("day", "impressions").rows() == [(MONDAY, 650)]


def test_there_is_to_choose_what_there_is(snapshot: Snapshot) -> None:
    found = snapshot.ask(span.choices)

    assert found.period == days(5, 6).period
    assert found.placements == ("home", "sidebar", "none")
    assert list(found.segments) == ["1", "2", "unassigned"]


def test_the_interval_over_days_is_that_of_the_trigger_rules(tmp_path: Path) -> None:
    counts = [(100, 9), (140, 20), (90, 12), (200, 18), (120, 15), (80, 11)]
    frame = pl.DataFrame(
        {
            "day": [MONDAY + timedelta(days=each) for each in range(len(counts))],
            "model_version": "m1",
            "placement": "home",
            "impressions": [shown for shown, _ in counts],
            "clicks": [clicks for _, clicks in counts],
            "users": 5,
        }
    )
    snapshot = snapshot_of({"metrics.engagement_by_model_daily": frame}, tmp_path)

    (row,) = snapshot.ask(engagement.by_model, days(5, 12)).iter_rows(named=True)

    sample = Sample(
        users=6,
        count=730,
        total=85,
        total_squares=sum(clicks**2 for _, clicks in counts),
        products=sum(shown * clicks for shown, clicks in counts),
        count_squares=sum(shown**2 for shown, _ in counts),
    )
    expected = interval_of(sample, 0.95, is_proportion=True)
    assert row["ctr"] == pytest.approx(85 / 730)
    assert (row["low"], row["high"]) == pytest.approx((expected.low, expected.high))


def _lived(experiments: dict[str, pl.DataFrame], tmp_path: Path) -> list[tuple[str, int]]:
    """Ask what users did in two experiments, over a week of 10 impressions a day."""
    lived = pl.DataFrame(
        [
            (MONDAY + timedelta(days=day), name, "new", 1, 1, 10, 1, 0.1, 60.0, 0.0, 0)
            for day in range(7)
            for name in ("ended", "imported")
        ],
        schema=[
            "day", "experiment_id", "variant", "users", "sessions", "impressions", "clicks", "ctr",
            "session_seconds", "bounce_rate", "conversions",
        ],
        orient="row",
    )  # fmt: skip
    snapshot = snapshot_of({"metrics.engagement_by_variant_daily": lived, **experiments}, tmp_path)
    rows = snapshot.ask(engagement.by_variant, days(5, 11))
    return rows.select("experiment_id", "impressions").rows()


def test_what_followed_an_experiment_does_not_count_for_it(tmp_path: Path) -> None:
    on_the_third_day = datetime.combine(MONDAY, time(9), tzinfo=UTC) + timedelta(days=2)
    ended = pl.DataFrame({"experiment_id": ["ended"], "stopped_at": [on_the_third_day]})

    assert _lived({"metrics.experiments": ended}, tmp_path) == [("ended", 30), ("imported", 70)]


def test_what_an_earlier_release_published_has_no_ends(tmp_path: Path) -> None:
    assert _lived({}, tmp_path) == [("ended", 70), ("imported", 70)]
