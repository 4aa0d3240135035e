from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_platform.monitoring.signal_windows import (
    CONVERTED,
    NPS,
    SIGNAL_DAYS,
    USER_DAYS,
    VISIT,
    after,
    anchors,
    before,
    observations,
    windows,
)

ANCHOR = date(2026, 3, 15)
HORIZON = 7


def on(day: int, user: str, name: str, count: int = 1, total: float = 0.0) -> tuple[object, ...]:
    """So many days from the anchor on; the anchor itself is 0."""
    return (user, ANCHOR + timedelta(days=day), name, count, total)


def frame(*rows: tuple[object, ...]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=USER_DAYS, orient="row")


def found(days: pl.DataFrame, signal: str, *, is_valued: bool) -> list[tuple[object, ...]]:
    table = observations(windows(days, [ANCHOR], HORIZON), signal, is_valued=is_valued)
    return table.drop("anchor").rows()


def test_a_signal_without_a_value_counts_by_visit_and_zero_where_there_is_none() -> None:
    days = frame(
        on(-2, "ann", VISIT, 2),
        on(-1, "ann", VISIT, 2),
        on(-1, "ann", "click", 6),
        on(-1, "bob", VISIT),
        on(0, "ann", VISIT),
        on(3, "ann", VISIT, 5),
        on(3, "ann", CONVERTED),
    )

    assert found(days, "click", is_valued=False) == [
        ("ann", 1.5, 4.0, 2 / 7, 1.0),
        ("bob", 0.0, 1.0, 0.0, 0.0),
    ]


def test_a_signal_with_a_value_is_the_mean_of_those_who_gave_one() -> None:
    days = frame(
        on(-2, "ann", VISIT),
        on(-2, "ann", "rating", 2, 1.0),
        on(-1, "ann", "rating", 2, 1.6),
        on(-1, "bob", VISIT),
        on(-1, "ann", NPS, 1, 0.9),
    )

    assert found(days, "rating", is_valued=True) == [("ann", pytest.approx(0.65), 1.0, 0.0, 0.0)]
    assert found(days, NPS, is_valued=True) == [("ann", pytest.approx(0.9), 1.0, 0.0, 0.0)]


def test_the_first_and_the_last_day_of_both_windows_count_and_none_beyond() -> None:
    days = frame(
        on(-SIGNAL_DAYS - 1, "old", VISIT),
        on(-SIGNAL_DAYS, "ann", VISIT),
        on(-SIGNAL_DAYS, "ann", "like", 3),
        on(-SIGNAL_DAYS - 1, "ann", "like", 100),
        on(0, "ann", "like", 100),
        on(HORIZON - 1, "ann", VISIT),
        on(HORIZON, "ann", CONVERTED),
    )

    assert found(days, "like", is_valued=False) == [("ann", 3.0, 1.0, 1 / 7, 0.0)]


def test_anchors_leave_room_for_both_windows_and_their_targets_do_not_overlap() -> None:
    as_of = date(2026, 4, 1)

    assert anchors(date(2026, 3, 11), as_of, 7) == [date(2026, 3, 25)]
    assert anchors(date(2026, 3, 12), as_of, 7) == []
    assert anchors(date(2020, 1, 1), as_of, 7) == [
        date(2026, 3, 25),
        date(2026, 3, 18),
        date(2026, 3, 11),
        date(2026, 3, 4),
    ]
    for horizon in (7, 14, 28):
        chosen = anchors(date(2020, 1, 1), as_of, horizon)
        assert all(each + timedelta(days=horizon) <= as_of for each in chosen)
        gaps = {later - earlier for later, earlier in pairwise(chosen)}
        assert gaps == {timedelta(days=horizon)}


Doing = tuple[int, str, str, int, float]
doings = st.tuples(
    st.integers(-20, 20),
    st.sampled_from(["ann", "bob", "cyd"]),
    st.sampled_from([VISIT, CONVERTED, NPS, "click", "rating"]),
    st.integers(1, 9),
    st.floats(0, 1),
)


@given(st.lists(doings), st.lists(doings))
@settings(max_examples=30)
def test_whatever_happens_from_the_date_on_leaves_the_signals_alone_and_the_other_way_round(
    first: list[Doing], second: list[Doing]
) -> None:
    """No leak: signals are a function of the past, and what follows one of the future."""

    def history(past: list[Doing], future: list[Doing]) -> pl.DataFrame:
        rows = [row for row in past if row[0] < 0] + [row for row in future if row[0] >= 0]
        return frame(*(on(*row) for row in rows))

    for past, future in ((first, second), (second, first)):
        mixed = history(past, future)
        of_past, of_future = history(past, past), history(future, future)
        assert by_user(before(mixed, ANCHOR)) == by_user(before(of_past, ANCHOR))
        assert by_user(after(mixed, ANCHOR, HORIZON)) == by_user(after(of_future, ANCHOR, HORIZON))
        for signal, is_valued in (("click", False), ("rating", True), (NPS, True)):
            one, other = (
                observations(windows(days, [ANCHOR], HORIZON), signal, is_valued=is_valued)
                for days in (mixed, of_past)
            )
            columns = ["user_id", "figure", "visits"]
            assert one.select(columns).equals(other.select(columns))


def by_user(table: pl.DataFrame) -> list[tuple[object, ...]]:
    return sorted(table.rows(), key=repr)
