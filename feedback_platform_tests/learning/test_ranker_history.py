from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.ranker_history import Ledger, history, second_of
from feedback_platform_tests.learning.frames import NO_ITEMS, at, items_of, scores_of
from feedback_platform_tests.learning.ranker_frames import shown_of

EVENTS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 50), st.floats(0, 1, width=32)), max_size=30
)


@given(events=EVENTS, second=st.integers(-5, 60))
def test_a_ledger_counts_what_happened_until_an_instant(
    events: list[tuple[int, int, float]], second: int
) -> None:
    keys, seconds, values = (
        (np.array(column) for column in zip(*events, strict=True))
        if (events)
        else (np.empty(0, dtype=np.int64),) * 3
    )
    ledger = Ledger.of(keys, seconds, seconds, values.astype(np.float64), 5)
    places = ledger.places(np.arange(5), second)
    for key in range(5):
        known = [value for of, when, value in events if of == key and when <= second]
        part = ledger.until(key, second)
        assert part.stop - part.start == len(known)
        assert places[key] - ledger.starts[key] == len(known)
        total = ledger.running[places[key]] - ledger.running[ledger.starts[key]]
        assert total == pytest.approx(sum(known), abs=1e-6)


def test_an_impression_is_known_when_its_clicks_are() -> None:
    scores = scores_of(("u", "a", 0.9, 1.0, 0))
    known = history(scores, NO_ITEMS, ["a"], shown=shown_of(("u", "a", 5, True)))
    for hours, expected in ((5, 0), (5.9, 0), (6, 1)):
        part = known.shown.until(0, second_of(at(hours)))
        assert part.stop - part.start == expected


def test_an_item_of_two_categories_is_half_in_each() -> None:
    items = items_of(("a", None, ["x", "y", "x"]), ("b", None, ["y"]), ("c", None, []))
    known = history(scores_of(("u", "a", 0.9, 1.0, 0)), items, ["a", "b", "c"])
    assert known.categories.tolist() == [[0.5, 0.5], [0, 1], [0, 0]]
    assert known.category_sizes.tolist() == [0.5, 1.5]


def test_impressions_without_their_columns_are_refused() -> None:
    scores = scores_of(("u", "a", 0.9, 1.0, 0))
    with pytest.raises(InvalidInputError, match="The impressions frame has no column is_clicked"):
        history(scores, NO_ITEMS, ["a"], shown=shown_of().drop("is_clicked"))
    gaps = shown_of(("u", "a", 1, True)).with_columns(pl.lit(None, pl.Boolean).alias("is_clicked"))
    with pytest.raises(InvalidInputError, match="nulls"):
        history(scores, NO_ITEMS, ["a"], shown=gaps)
