from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.ingestion.collector.limits import MAX_BATCH_EVENTS
from feedback_platform.ingestion.collector.rate_limit import RateLimit
from feedback_platform.ingestion.collector.refusals import RequestRefusedError


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def wait_after(limit: RateLimit, events: int, sender: str = "web") -> int:
    """The seconds that a refused sender is told to wait; 0 for one who got through."""
    refusal: RequestRefusedError | None = None
    try:
        limit.take(sender, events)
    except RequestRefusedError as refused:
        refusal = refused
    if refusal is None:
        return 0
    assert refusal.status == 429
    headers = dict(refusal.headers)
    assert headers[b"retry-after"] == headers[b"x-ratelimit-reset"]
    return int(headers[b"retry-after"])


def test_without_a_rate_everything_gets_through() -> None:
    assert wait_after(RateLimit(None), 10**9) == 0


def test_two_seconds_worth_may_come_at_once_and_then_it_trickles() -> None:
    clock = Clock()
    limit = RateLimit(5000, clock)
    assert wait_after(limit, 10_000) == 0
    assert wait_after(limit, 1) == 1
    assert wait_after(limit, 10_000) == 2
    clock.now = 0.5
    assert wait_after(limit, 2500) == 0
    assert wait_after(limit, 1) == 1


def test_the_largest_batch_gets_through_however_low_the_rate() -> None:
    clock = Clock()
    limit = RateLimit(1, clock)
    assert wait_after(limit, MAX_BATCH_EVENTS) == 0
    assert wait_after(limit, MAX_BATCH_EVENTS) == MAX_BATCH_EVENTS
    clock.now = MAX_BATCH_EVENTS
    assert wait_after(limit, MAX_BATCH_EVENTS) == 0


def test_each_sender_has_a_bucket() -> None:
    limit = RateLimit(1, Clock())
    assert wait_after(limit, MAX_BATCH_EVENTS, "web") == 0
    assert wait_after(limit, MAX_BATCH_EVENTS, "mobile") == 0


@given(
    rate=st.floats(1, 10_000),
    requests=st.lists(st.tuples(st.floats(0, 3), st.integers(1, MAX_BATCH_EVENTS)), min_size=1),
)
def test_never_more_than_rate_and_burst_get_through_and_waiting_helps(
    rate: float, requests: list[tuple[float, int]]
) -> None:
    clock = Clock()
    limit = RateLimit(rate, clock)
    taken = 0
    for gap, events in requests:
        clock.now += gap
        wait = wait_after(limit, events)
        if wait:
            clock.now += wait
            assert wait_after(limit, events) == 0
        taken += events
        assert taken <= max(2 * rate, MAX_BATCH_EVENTS) + rate * clock.now + 1e-3


def test_a_refusal_says_how_many_are_too_many() -> None:
    limit = RateLimit(2.5, Clock())
    limit.take("web", MAX_BATCH_EVENTS)
    with pytest.raises(RequestRefusedError, match=r"2\.5 events a second"):
        limit.take("web", 1)
