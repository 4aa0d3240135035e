from __future__ import annotations

import json
import math
from datetime import timedelta

import polars as pl
import pytest

from feedback_platform.simulation import Dirt, Simulation, SimulationParameters, simulate
from feedback_platform.simulation.bad_rows import BadRow
from feedback_platform_tests.simulation.conftest import FIRST_DAY, Received, received

DWELL_TYPES = ["item_viewed", "item_used"]


def assert_binomial(count: int, trials: int, rate: float, *, missing: float = 0.0) -> None:
    """Check a count against its rate, within four deviations.

    Args:
        missing: the share of the counted that is not received when the simulation ends.
    """
    deviation = math.sqrt(trials * rate * (1 - rate))
    assert trials * rate * (1 - missing) - 4 * deviation < count < trials * rate + 4 * deviation


def test_dirt_is_planted_at_its_rates(quiet: Received) -> None:
    planted, dirt = quiet.simulation.planted, quiet.simulation.parameters.dirt
    events = quiet.events.height
    dwells = quiet.events.filter(pl.col("event_type").is_in(DWELL_TYPES)).height
    # Lateness is a day on average, one of 28; what would come after the end is not there yet.
    assert_binomial(planted.late_events, events, dirt.late_rate, missing=1 / 20)
    assert_binomial(planted.duplicates, events, dirt.duplicate_rate, missing=1 / 100)
    assert_binomial(planted.missing_dwell, dwells, dirt.missing_dwell_rate)
    assert_binomial(planted.dwell_outliers, dwells, dirt.dwell_outlier_rate)
    assert_binomial(planted.skewed_users, 2_000, dirt.skewed_user_rate)
    assert_binomial(sum(planted.bad_rows.values()), events, dirt.bad_row_rate)


def test_each_line_is_a_good_event_a_duplicate_or_a_bad_row(quiet: Received) -> None:
    planted = quiet.simulation.planted
    assert quiet.simulation.lines.height == (
        quiet.events.height + planted.duplicates + sum(planted.bad_rows.values())
    )


def test_the_counts_of_dwell_times_are_those_in_the_lines(quiet: Received) -> None:
    planted = quiet.simulation.planted
    dwell = quiet.events.filter(pl.col("event_type").is_in(DWELL_TYPES))["value"]
    assert dwell.null_count() == planted.missing_dwell
    # Nobody uses an item for more than twenty minutes: longer is a tab left open.
    too_long = int((dwell > 20 * 60_000).sum())
    assert 0.9 * planted.dwell_outliers < too_long <= planted.dwell_outliers


def test_a_duplicate_repeats_its_event_minutes_to_hours_later(quiet: Received) -> None:
    repeated = quiet.lines.filter(
        pl.col("event_id").is_duplicated() & pl.col("event_id").is_not_null()
    )
    same = [name for name in repeated.columns if name not in {"sent_at", "received_at"}]
    pairs = repeated.group_by("event_id").agg(
        pl.struct(same).n_unique().alias("different"),
        pl.len().alias("deliveries"),
        pl.col("received_at").str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ").alias("times"),
    )
    assert pairs.height == quiet.simulation.planted.duplicates
    assert pairs["different"].unique().to_list() == [1]
    assert pairs["deliveries"].unique().to_list() == [2]
    apart = pairs.select(pl.col("times").list.max() - pl.col("times").list.min()).to_series()
    assert apart.is_between(timedelta(minutes=1), timedelta(hours=6, seconds=1)).all()


def test_lateness_is_hours_and_never_more_than_two_days(quiet: Received) -> None:
    # The sender's clock cancels out, as the platform corrects it; batching takes three seconds.
    delay = quiet.events.select(pl.col("sent_at") - pl.col("occurred_at")).to_series()
    is_late = delay > timedelta(seconds=3)
    assert is_late.sum() == quiet.simulation.planted.late_events
    assert delay.filter(is_late).is_between(timedelta(hours=1), timedelta(hours=48)).all()


def test_events_are_sent_shortly_before_they_are_received_by_a_right_clock(quiet: Received) -> None:
    trip = quiet.events.with_columns((pl.col("received_at") - pl.col("sent_at")).alias("trip"))
    is_right = pl.col("trip").is_between(timedelta(milliseconds=20), timedelta(milliseconds=400))
    wrong = trip.filter(~is_right)
    assert wrong["user_id"].n_unique() == quiet.simulation.planted.skewed_users
    # A user's clock is wrong all the time, or never.
    assert trip.filter(is_right)["user_id"].is_in(wrong["user_id"].to_list()).sum() == 0
    assert wrong["trip"].abs().is_between(timedelta(minutes=1), timedelta(hours=7)).all()


def test_every_kind_of_bad_row_is_there_as_often_as_counted(quiet: Received) -> None:
    lines, planted = quiet.simulation.lines["line"], quiet.simulation.planted
    read = quiet.lines
    found = {
        BadRow.TRUNCATED_JSON: len(lines) - read.height,
        BadRow.UNKNOWN_EVENT_TYPE: (read["event_type"] == "item_hovered").sum(),
        BadRow.RATING_OUT_OF_RANGE: read.filter(
            (pl.col("event_type") == "item_rated") & (pl.col("value") == "11")
        ).height,
        BadRow.MISSING_EVENT_ID: read["event_id"].null_count(),
        BadRow.MISSING_USER: read.filter(
            pl.col("user_id").is_null() & (pl.col("event_type") != "item_updated")
        ).height,
        BadRow.UNPARSABLE_TIMESTAMP: (read["occurred_at"] == "yesterday, around noon").sum(),
        BadRow.TEXT_FOR_NUMBER: (read["value"] == "a while").sum(),
    }
    assert found == planted.bad_rows
    assert all(count > 0 for count in found.values())


def test_a_truncated_line_is_no_json(quiet: Received) -> None:
    lines = quiet.simulation.lines["line"]
    for line in lines.filter(~lines.str.ends_with("}")):
        with pytest.raises(json.JSONDecodeError):
            json.loads(line)


def test_without_dirt_every_line_is_a_good_event() -> None:
    clean = Dirt(
        duplicate_rate=0,
        missing_dwell_rate=0,
        dwell_outlier_rate=0,
        bad_row_rate=0,
        late_rate=0,
        skewed_user_rate=0,
    )
    simulation: Simulation = simulate(
        SimulationParameters(first_day=FIRST_DAY, users=40, days=3, dirt=clean)
    )
    events = received(simulation).events
    assert events.height == simulation.lines.height
    assert events.filter(pl.col("event_type").is_in(DWELL_TYPES))["value"].null_count() == 0
    assert sum(simulation.planted.bad_rows.values()) == 0
