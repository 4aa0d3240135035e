from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from feedback_platform.learning.click_model import fit_clicks
from feedback_platform.learning.ranker_lists import LISTS_SCHEMA
from feedback_platform_tests.learning.frames import at


def logged(*rows: tuple[str, int, int, int]) -> pl.DataFrame:
    """Rows of item, position, impressions, clicks."""
    listed = [
        ("ann", item, at(1), n < clicks, f"{item}{position}{n}", position, 0.5)
        for item, position, shown, clicks in rows
        for n in range(shown)
    ]
    return pl.DataFrame(listed, schema=LISTS_SCHEMA, orient="row")


def test_rates_are_smoothed_towards_the_mean_of_all() -> None:
    clicks = fit_clicks(logged(("a", 1, 100, 40), ("b", 2, 100, 0)), ["a", "b", "new"])
    # A fifth of 200 is clicked; a hundred impressions at that rate are added to each position.
    assert clicks.positions.tolist() == pytest.approx([0.3 / 0.2, 0.1 / 0.2, 1.0])
    # A hundred impressions of a at the first are worth 150 anywhere, so it owes 0.16 to itself.
    assert clicks.items.tolist() == pytest.approx([60 / 250, 20 / 150, 0.2, 0.2])
    rates = clicks.rates(np.array([0, 1, -1, 0]), np.array([1, 2, 1, 9]))
    assert rates.tolist() == pytest.approx([0.24 * 1.5, 0.05 / 0.75, 0.3, 0.24])


def test_what_position_and_item_do_is_told_apart() -> None:
    counted = logged(
        *(
            (item, position, 4_000, int(4_000 * rate * factor))
            for item, rate in (("a", 0.4), ("b", 0.1))
            for position, factor in ((1, 1.0), (2, 0.5))
        )
    )
    clicks = fit_clicks(counted, ["a", "b"])
    rates = clicks.rates(np.array([0, 0, 1, 1]), np.array([1, 2, 1, 2]))
    # A hundred impressions at the mean are added to thousands.
    assert rates.tolist() == pytest.approx([0.4, 0.2, 0.1, 0.05], rel=0.05)


def test_without_impressions_or_clicks_nothing_is_clicked() -> None:
    for lists in (logged(), logged(("a", 1, 3, 0))):
        clicks = fit_clicks(lists, ["a"])
        assert clicks.rates(np.array([0, -1]), np.array([1, 4])).tolist() == [0, 0]
