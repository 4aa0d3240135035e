from __future__ import annotations

import numpy as np

from feedback_platform.learning.boosting import LIFT, boost


def boosted_of(ranked: list[list[int]], *items: int) -> list[list[int]]:
    """The orders, after a look at whether the values came along."""
    orders = np.array(ranked)
    found, values = boost(orders, 100.0 - orders, np.isin(np.arange(11), items))
    assert np.array_equal(values, 100.0 - found)
    lists: list[list[int]] = found.tolist()
    return lists


def test_a_boosted_item_comes_five_ranks_earlier() -> None:
    assert LIFT == 5
    assert boosted_of([list(range(1, 11))], 8, 3) == [[3, 1, 2, 8, 4, 5, 6, 7, 9, 10]]


def test_an_order_that_ends_early_still_ends_there() -> None:
    assert boosted_of([[1, 2, 3, -1, -1], [3, 2, -1, -1, -1]], 3) == [
        [3, 1, 2, -1, -1],
        [3, 2, -1, -1, -1],
    ]
    # The last of all items is not taken for the place without one.
    assert boosted_of([[1, 2, -1]], 10) == [[1, 2, -1]]


def test_without_boosted_items_orders_are_as_they_were() -> None:
    assert boosted_of([[1, 2, 3]]) == [[1, 2, 3]]
