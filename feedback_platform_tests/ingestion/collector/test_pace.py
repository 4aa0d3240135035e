from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.ingestion.collector.pace import BURST, DECENT_BYTES, LONGEST, SHORTEST, Pace


def written_in(seconds: float, size_per_second: float) -> int:
    """How many objects a steady stream of so many bytes a second becomes."""
    pace, now, objects, last = Pace(0.0), 0.0, 0, 0.0
    while now < seconds:
        now += max(pace.delay(now), 0.001)
        pace.began(int((now - last) * size_per_second), now)
        objects, last = objects + 1, now
    return objects


def test_the_first_write_waits_for_nothing() -> None:
    assert Pace(5.0).delay(5.0) == 0


def test_a_write_after_a_pause_waits_for_nothing() -> None:
    pace = Pace(0.0)
    pace.began(10, 0.0)
    assert pace.delay(1.0) == 0


def test_the_second_of_two_waits_for_the_shortest_time() -> None:
    pace = Pace(0.0)
    pace.began(10, 1.0)
    assert pace.delay(1.0) == pytest.approx(SHORTEST, rel=0.01)


def test_an_hour_of_steady_light_traffic_is_some_fifteen_thousand_objects() -> None:
    for rate in (1_000, 50_000):
        most = 3600 / LONGEST + BURST + 3600 * rate / DECENT_BYTES
        assert 14_000 < written_in(3600, rate) <= most < 17_200


def test_heavy_traffic_is_written_in_the_shortest_time_as_decent_objects() -> None:
    heavy = DECENT_BYTES / SHORTEST
    assert written_in(60, heavy) == pytest.approx(60 / SHORTEST, rel=0.1)


def test_after_a_quiet_time_the_budget_is_full_again() -> None:
    pace = Pace(0.0)
    for number in range(2000):
        pace.began(1, number * SHORTEST)
    assert pace.delay(2000 * SHORTEST) > 0.1
    later = 2000 * SHORTEST + BURST * LONGEST
    pace.began(1, later)
    assert pace.delay(later) == pytest.approx(SHORTEST, rel=0.01)


@given(st.lists(st.tuples(st.floats(0, 2), st.integers(0, 1 << 22)), max_size=50))
def test_nobody_waits_longer_than_the_longest_time(writes: list[tuple[float, int]]) -> None:
    pace, now = Pace(0.0), 0.0
    for gap, size in writes:
        now += gap
        assert 0 <= pace.delay(now) <= LONGEST
        pace.began(size, now)
        assert SHORTEST * 0.999 <= pace.delay(now) <= LONGEST
