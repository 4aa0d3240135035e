from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import polars as pl

from feedback_platform_tests.simulation.conftest import FIRST_DAY, SHIFT_DAY, Received

kind = pl.col("event_type")


def halves(events: pl.DataFrame, event_type: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    middle = FIRST_DAY + timedelta(days=SHIFT_DAY)
    rows = events.filter(kind == event_type)
    is_early = pl.col("received_at").dt.date() < middle
    return rows.filter(is_early), rows.filter(~is_early)


def click_through(events: pl.DataFrame) -> tuple[float, float, float]:
    """Return click-through in both halves, and the standard error of their difference."""
    shown, clicked = halves(events, "item_impression"), halves(events, "item_clicked")
    rates = [len(c) / len(s) for c, s in zip(clicked, shown, strict=True)]
    variance = sum(r * (1 - r) / len(s) for r, s in zip(rates, shown, strict=True))
    return rates[0], rates[1], math.sqrt(variance)


def standard_errors_apart(events: pl.DataFrame, event_type: str) -> float:
    """Return by how many standard errors the mean value falls from one half to the other."""
    early, late = (np.asarray(h["value"].drop_nulls()) for h in halves(events, event_type))
    if event_type in {"item_viewed", "item_used"}:
        early, late = np.log(early), np.log(late)
    error = math.sqrt(early.var() / len(early) + late.var() / len(late))
    return float((early.mean() - late.mean()) / error)


def test_a_user_leaves_some_150_events_in_four_weeks(quiet: Received) -> None:
    assert 140 < quiet.events.height / 2_000 < 160


def test_click_through_is_about_twelve_per_cent(quiet: Received) -> None:
    clicks = quiet.events.filter(kind == "item_clicked").height
    assert 0.11 < clicks / quiet.events.filter(kind == "item_impression").height < 0.13


def test_click_through_has_no_trend_while_nothing_changes(quiet: Received) -> None:
    early, late, error = click_through(quiet.events)
    assert abs(early - late) < 3 * error


def test_what_users_think_has_no_trend_while_nothing_changes(quiet: Received) -> None:
    # Ratings and answers of one user resemble each other: the errors are a little larger than
    # those of independent values.
    for event_type in ("item_viewed", "item_used", "item_rated", "survey_answered"):
        assert abs(standard_errors_apart(quiet.events, event_type)) < 4


def test_a_shift_of_taste_about_halves_click_through(shifted: Received) -> None:
    early, late, _ = click_through(shifted.events)
    assert 0.10 < early < 0.14
    assert 0.35 < late / early < 0.6


def test_a_shift_of_taste_lowers_what_users_think(shifted: Received) -> None:
    for event_type in ("item_viewed", "item_used", "item_rated", "survey_answered"):
        assert standard_errors_apart(shifted.events, event_type) > 4


def test_a_shift_of_taste_leaves_what_is_shown_as_it_was(shifted: Received) -> None:
    # The logged propensity is that of the original taste: its distribution stays.
    early, late = (
        np.log(np.asarray(half["propensity"])) for half in halves(shifted.events, "item_impression")
    )
    error = math.sqrt(early.var() / len(early) + late.var() / len(late))
    assert abs(early.mean() - late.mean()) < 4 * error


def test_the_logged_propensity_is_the_true_one(quiet: Received) -> None:
    # An item's impressions, each divided by its probability, estimate the number of positions
    # filled, whatever the item. Each estimate is off by some 3 % (the weights reach up to 300).
    shown = quiet.events.filter(kind == "item_impression")
    estimates = shown.group_by("item_id").agg((1 / pl.col("propensity")).sum().alias("estimate"))
    ratio = estimates["estimate"].to_numpy() / shown.height
    assert len(ratio) == 96
    assert abs(ratio.mean() - 1) < 0.02
    assert np.abs(ratio - 1).max() < 0.2


def test_no_list_shows_an_item_twice_and_positions_count_from_one(quiet: Received) -> None:
    lists = (
        quiet.events.filter(kind == "item_impression")
        .group_by("recommendation_id")
        .agg(
            pl.len().alias("shown"),
            pl.col("item_id").n_unique().alias("items"),
            pl.col("position").min().alias("first"),
            pl.col("position").max().alias("last"),
            pl.col("placement").n_unique().alias("placements"),
        )
    )
    assert lists.filter(pl.col("shown") != pl.col("items")).is_empty()
    assert lists.filter(pl.col("placements") != 1).is_empty()
    # A list whose last or first item has not been received yet, being late, is the exception.
    whole = lists.filter((pl.col("first") == 1) & (pl.col("last") == pl.col("shown")))
    assert whole.height / lists.height > 0.995


def test_a_click_names_the_impression_that_it_answers(quiet: Received) -> None:
    on = ["recommendation_id", "item_id", "position", "placement", "session_id", "user_id"]
    clicks = quiet.events.filter(kind == "item_clicked")
    shown = quiet.events.filter(kind == "item_impression")
    # Some impressions are late, and not received yet when the simulation ends.
    assert clicks.join(shown, on=on, how="anti").height <= 5
    both = clicks.join(shown, on=on, suffix="_shown")
    assert both.filter(pl.col("occurred_at") < pl.col("occurred_at_shown")).is_empty()


def test_lower_positions_are_clicked_less(quiet: Received) -> None:
    home = quiet.events.filter(pl.col("placement") == "home")
    rates = [
        home.filter((kind == "item_clicked") & (pl.col("position") == position)).height
        / home.filter((kind == "item_impression") & (pl.col("position") == position)).height
        for position in (1, 2, 3, 4)
    ]
    assert rates == sorted(rates, reverse=True)


def test_sessions_of_a_user_do_not_overlap(quiet: Received) -> None:
    spans = (
        quiet.events.filter(pl.col("session_id").is_not_null())
        .group_by("user_id", "session_id")
        .agg(
            pl.col("occurred_at").min().alias("start"),
            pl.col("occurred_at").max().alias("end"),
        )
        .sort("user_id", "start")
    )
    gap = pl.col("start") - pl.col("end").shift(1).over("user_id")
    assert spans.filter(gap < timedelta()).is_empty()


def test_only_a_minority_ever_rates(quiet: Received) -> None:
    raters = quiet.events.filter(kind == "item_rated")["user_id"].n_unique()
    assert 0.1 < raters / 2_000 < 0.3


def test_ratings_and_answers_use_their_whole_scales(quiet: Received) -> None:
    stars = quiet.events.filter(kind == "item_rated")["value"]
    answers = quiet.events.filter(kind == "survey_answered")["value"]
    assert set(stars) == {1.0, 2.0, 3.0, 4.0, 5.0}
    assert set(answers) <= {float(score) for score in range(11)}
    assert {6.0, 7.0, 8.0, 9.0, 10.0} <= set(answers)
