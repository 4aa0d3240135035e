from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.monitoring.loop_health import LOOP_HEALTH_SCHEMA, gini, loop_health

DAY = date(2026, 3, 10)
ITEMS = pl.DataFrame(
    [
        ("a", DAY - timedelta(days=90), ["x"]),
        ("b", DAY - timedelta(days=90), ["x"]),
        ("c", DAY - timedelta(days=90), ["y"]),
        ("d", DAY, ["y"]),
        ("later", DAY + timedelta(days=1), ["z"]),
    ],
    schema=["item_id", "first_day", "categories"],
    orient="row",
)
Counts = dict[str, int]


RECEIVED = pl.DataFrame([(DAY, 50, 5)], schema=["day", "received", "quarantined"], orient="row")


def day(**facts: object) -> pl.DataFrame:
    usual = {
        "day": DAY,
        "impressions": 10,
        "users": 4,
        "logged": 8,
        "unlikely": 2,
        "concentration": 0.75,
        "deviation": 0.2,
        "seers": 4,
    }
    return pl.DataFrame([usual | facts])


def by_item(column: str, counts: Counts, at: date = DAY) -> pl.DataFrame:
    rows = [(at, item, count) for item, count in counts.items()]
    schema = {"day": pl.Date(), "item_id": pl.String(), column: pl.Int64()}
    return pl.DataFrame(rows, schema=schema, orient="row")


def health(
    shown: Counts, chosen: pl.DataFrame | None = None, facts: pl.DataFrame | None = None
) -> dict[str, float]:
    found = loop_health(
        day() if facts is None else facts,
        by_item("impressions", shown),
        by_item("choices", {}) if chosen is None else chosen,
        ITEMS,
        RECEIVED,
    )
    assert found.schema == LOOP_HEALTH_SCHEMA
    return found.row(0, named=True)


def test_coverage_and_gini_are_of_the_catalogue_of_the_day() -> None:
    found = health({"a": 6, "b": 4})

    # Four items are there: 0, 0, 4, 6. Gini = 2 (3 · 4 + 4 · 6) / (4 · 10) - 5/4.
    assert (found["items_shown"], found["catalogue"], found["coverage"]) == (2, 4, 0.5)
    assert found["popularity_gini"] == pytest.approx(0.55)
    assert (found["impressions"], found["users"]) == (10, 4)


def test_an_item_that_is_shown_before_anything_is_said_of_it_is_there() -> None:
    assert health({"a": 6, "later": 4})["catalogue"] == 5


def test_exploration_is_what_chance_put_there_of_what_was_logged() -> None:
    assert health({"a": 10})["exploration_share"] == 0.25
    assert health({"a": 10}, facts=day(logged=0, unlikely=0))["exploration_share"] is None


# Chosen 3 : 1 : 0 : 0 before. A choice is of popularity (9 + 1) / 4 = 2.5 on average.
@pytest.mark.parametrize(
    ("shown", "bias"),
    [
        pytest.param({"a": 6, "b": 2}, 0.0, id="as they are chosen"),
        pytest.param({"a": 8}, 3 / 2.5 - 1, id="the popular one alone"),
        pytest.param({"a": 2, "b": 2, "c": 2, "d": 2}, 1 / 2.5 - 1, id="evenly"),
        pytest.param({"c": 8}, -1.0, id="what nobody chooses"),
    ],
)
def test_popularity_bias_is_by_how_much_what_is_shown_is_more_popular_than_what_is_chosen(
    shown: Counts, bias: float
) -> None:
    chosen = by_item("choices", {"a": 3, "b": 1}, DAY - timedelta(days=1))

    assert health(shown, chosen)["popularity_bias"] == pytest.approx(bias)


def test_popular_is_what_was_chosen_in_the_four_weeks_before_and_not_on_the_day() -> None:
    biases = {
        days: health({"a": 1}, by_item("choices", {"a": 3}, DAY - timedelta(days=days)))[
            "popularity_bias"
        ]
        for days in (0, 1, 28, 29)
    }

    assert biases == {0: None, 1: 0.0, 28: 0.0, 29: None}


def test_the_filter_bubble_is_zero_at_the_catalogues_own_mix_and_one_in_a_single_category() -> None:
    # Two categories of two items each: two items of the catalogue are of one with probability 1/2.
    found = health({"a": 10})

    assert found["filter_bubble_index"] == pytest.approx((0.75 - 0.5) / 0.5)
    reach = 1.959964 * 0.2 / 2 / 0.5
    assert found["filter_bubble_low"] == pytest.approx(0.5 - reach)
    assert found["filter_bubble_high"] == pytest.approx(0.5 + reach)
    assert health({"a": 1}, facts=day(concentration=0.5))["filter_bubble_index"] == 0
    assert health({"a": 1}, facts=day(concentration=1.0))["filter_bubble_index"] == 1
    assert health({"a": 1}, facts=day(seers=0))["filter_bubble_index"] is None


def test_categories_that_come_later_count_from_their_day_on() -> None:
    days = pl.concat([day(), day(day=DAY + timedelta(days=1))])
    shown = pl.concat(
        [by_item("impressions", {"a": 1}), by_item("impressions", {"a": 1}, DAY + timedelta(1))]
    )

    found = loop_health(days, shown, by_item("choices", {}), ITEMS, RECEIVED)

    # With the fifth item of a third category the chance is (4 + 4 + 1) / 25.
    assert found["filter_bubble_index"].to_list() == pytest.approx([0.5, (0.75 - 0.36) / 0.64])
    assert found["catalogue"].to_list() == [4, 5]


def test_the_quarantine_rate_is_of_what_was_received_on_the_day() -> None:
    assert health({"a": 1})["quarantine_rate"] == 0.1
    other = day(day=DAY + timedelta(days=1))
    shown = by_item("impressions", {"a": 1}, DAY + timedelta(days=1))
    found = loop_health(other, shown, by_item("choices", {}), ITEMS, RECEIVED)
    assert found.select("received", "quarantined", "quarantine_rate").row(0) == (None, None, None)


def test_without_impressions_there_is_no_day() -> None:
    found = loop_health(
        day().clear(), by_item("impressions", {}), by_item("choices", {}), ITEMS, RECEIVED
    )

    assert (found.schema, found.height) == (LOOP_HEALTH_SCHEMA, 0)


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=20), st.integers(0, 20))
def test_gini_is_the_mean_difference_of_two_items_by_twice_the_mean(
    counts: list[int], unseen: int
) -> None:
    every = np.array([*counts, *[0] * unseen], dtype=np.float64)
    expected = np.abs(every[:, None] - every).mean() / (2 * every.mean())

    assert gini(np.array(counts, dtype=np.float64), len(every)) == pytest.approx(expected)
