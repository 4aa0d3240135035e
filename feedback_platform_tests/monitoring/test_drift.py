from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_platform.errors import InvalidInputError
from feedback_platform.monitoring.drift import DriftEvent, StreamState, adaptive_window, advance
from feedback_platform.monitoring.rhythm import Hour
from feedback_platform_tests.seeds import seeds

START = datetime(2026, 3, 1, tzinfo=UTC)
CLICKS = StreamState("click_through")


@pytest.mark.parametrize(("clock", "delta"), [(32, 0.002), (1, 0.00005)])
def test_the_detector_is_the_one_that_river_has(clock: int, delta: float) -> None:
    from river.drift import ADWIN

    rivers, ours = ADWIN(delta=delta, clock=clock), adaptive_window(delta, clock=clock)
    values = _clicks(3, (0.2, 3_000), (0.5, 2_000), (0.1, 2_000))

    found = []
    for number, value in enumerate(values):
        rivers.update(value)
        assert ours.update(value) is rivers.drift_detected
        found += [number] if rivers.drift_detected else []
        if rivers.drift_detected:
            # river begins anew before the value after a change.
            ours = adaptive_window(delta, clock=clock)

    assert len(found) == 2


def test_at_rivers_defaults_nothing_is_found_in_half_a_million_steady_values() -> None:
    detector = adaptive_window(0.002, clock=32)

    assert not any(map(detector.update, _clicks(0, (0.2, 500_000))))


@pytest.mark.parametrize(("after", "delay"), [(0.8, 49), (0.4, 157)])
def test_at_rivers_defaults_a_change_is_noticed_as_soon_as_the_reference_says(
    after: float, delay: float
) -> None:
    delays = []
    for seed in range(200):
        detector = adaptive_window(0.002, clock=32)
        changes = map(detector.update, _clicks(seed, (0.2, 2_000), (after, 2_000)))
        noticed = next(number for number, is_changed in enumerate(changes) if is_changed)
        delays.append(noticed + 1 - 2_000)

    assert min(delays) > 0
    # The standard error of either mean is below 3 values.
    assert sum(delays) / len(delays) == pytest.approx(delay, abs=8)


@pytest.mark.parametrize("seed", seeds(0, 1, 2, 3, 4, 5))
def test_a_steady_click_rate_raises_no_alarm(seed: int) -> None:
    clicks = _clicks(seed, (0.12, 500_000))

    _, events = advance(CLICKS, clicks, _times(len(clicks)))

    assert events == []


@pytest.mark.parametrize("seed", range(6))
def test_a_halved_click_rate_is_one_change_found_within_twelve_blocks(seed: int) -> None:
    clicks = _clicks(seed, (0.12, 100_000), (0.06, 100_000))

    _, events = advance(CLICKS, clicks, _times(len(clicks)))

    (event,) = events
    delay = (event.detected_at - START) // timedelta(seconds=1) + 1 - 100_000
    assert 0 < delay <= 12 * 200
    assert (event.stream, event.method, event.action) == ("click_through", "adwin", "record")
    # The change lies where the rate was changed, give or take two blocks.
    assert abs(event.width - delay) <= 2 * 200
    assert event.before_mean == pytest.approx(0.12, abs=0.01)
    assert event.after_mean == pytest.approx(0.06, abs=0.02)


def test_the_means_beside_a_change_are_those_of_the_blocks_on_either_side() -> None:
    observations = [0.25] * 600 + [0.75] * 600

    state, (event,) = advance(CLICKS, observations, _times(1_200), block_size=20, has_rhythm=False)

    # 30 blocks of each; ADWIN compares no fewer than five blocks with the rest.
    assert 5 * 20 <= event.width <= 15 * 20
    assert (event.before_mean, event.after_mean) == (0.25, 0.75)
    assert event.detected_at == START + timedelta(seconds=600 + event.width - 1)
    assert state.blocks == (0.75,) * 30


def test_a_partial_block_waits_for_its_rest() -> None:
    state, events = advance(CLICKS, [1.0, 0.0, 1.0], _times(3), block_size=4)
    assert state.newest == (START + timedelta(seconds=2)).timestamp() * 1_000_000
    assert (state.position, state.partial_count, state.partial_sum) == (3, 3, 2.0)
    assert (state.blocks, events) == ((), [])

    state, _ = advance(state, [0.0, 1.0], _times(2), block_size=4)
    assert (state.position, state.partial_count, state.partial_sum) == (5, 1, 1.0)
    assert state.blocks == (0.5,)


def test_nothing_new_changes_nothing() -> None:
    state, _ = advance(CLICKS, [1.0] * 7, _times(7), block_size=4)

    assert advance(state, [], [], block_size=4) == (state, [])


def test_a_series_of_polars_is_taken_like_a_list() -> None:
    clicks = _clicks(1, (0.12, 20_000), (0.5, 5_000))
    times = _times(len(clicks))

    from_series = advance(CLICKS, pl.Series(clicks), pl.Series(times), has_rhythm=False)

    assert len(from_series[1]) == 1
    assert from_series == advance(CLICKS, clicks, times, has_rhythm=False)


@settings(max_examples=60, deadline=None)
@given(
    # Far apart and long enough that most examples hold changes, and some more than the cap.
    levels=st.lists(st.sampled_from([0.0, 0.1, 0.3, 0.6, 0.9]), min_size=2, max_size=6),
    size=st.integers(150, 400),
    seed=st.integers(0, 2**32 - 1),
    cuts=st.lists(st.integers(0, 2_400), min_size=1, max_size=12),
    block_size=st.integers(2, 9),
    max_blocks=st.integers(30, 150),
    has_rhythm=st.booleans(),
)
def test_the_result_does_not_depend_on_how_observations_are_cut_into_ticks(
    *,
    levels: list[float],
    size: int,
    seed: int,
    cuts: list[int],
    block_size: int,
    max_blocks: int,
    has_rhythm: bool,
) -> None:
    rng = np.random.default_rng(seed)
    parts = [np.clip(level + rng.normal(0, 0.05, size), 0, 1) for level in levels]
    values = np.concatenate(parts).tolist()
    times = [START + timedelta(minutes=10 * number) for number in range(len(values))]
    state = StreamState("score", block_size=block_size)
    taken = partial(advance, block_size=block_size, max_blocks=max_blocks, has_rhythm=has_rhythm)
    whole = taken(state, values, times)

    found: list[DriftEvent] = []
    edges = sorted({0, len(values), *[cut for cut in cuts if cut < len(values)]})
    for start, end in itertools.pairwise(edges):
        state, events = taken(state, values[start:end], times[start:end])
        found.extend(events)
    assert (state, found) == whole


def test_every_change_has_an_id_of_its_own_and_the_same_at_a_repetition() -> None:
    values = ([0.1] * 100 + [0.9] * 100) * 4
    times = _times(len(values))

    _, events = advance(CLICKS, values, times, block_size=2, has_rhythm=False)
    _, again = advance(CLICKS, values, times, block_size=2, has_rhythm=False)
    _, elsewhere = advance(StreamState("mean_score"), values, times, block_size=2, has_rhythm=False)

    assert len(events) == 7
    assert len({event.event_id for event in events + elsewhere}) == 14
    assert again == events


def test_the_state_is_bounded_by_dropping_the_older_half() -> None:
    values = [(number % 100) / 1_000 for number in range(101)]

    state, _ = advance(CLICKS, values[:100], _times(100), block_size=1, max_blocks=100)
    assert len(state.blocks) == 100
    state, _ = advance(state, values[100:], _times(1), block_size=1, max_blocks=100)

    assert state.blocks == tuple(values[50:])


def test_another_block_size_starts_the_stream_anew() -> None:
    state, _ = advance(CLICKS, [1.0] * 7, _times(7), block_size=2)

    state, _ = advance(state, [0.5] * 4, _times(4), block_size=3)

    assert state == StreamState(
        "click_through",
        block_size=3,
        position=11,
        partial_count=1,
        partial_sum=0.5,
        blocks=(0.5,),
        newest=round((START + timedelta(seconds=3)).timestamp() * 1_000_000),
        hours=(Hour(round(START.timestamp()) // 3_600, 4, 2.0, 1.0),),
    )


@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan"), float("inf")])
def test_an_observation_outside_zero_to_one_is_refused(wrong: float) -> None:
    with pytest.raises(InvalidInputError, match=r"'click_through' got .* at place 1; scale"):
        advance(CLICKS, [0.5, wrong], _times(2))


def test_times_that_do_not_match_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="got 2 observations, but 1 times"):
        advance(CLICKS, [0.5, 0.5], _times(1))
    with pytest.raises(InvalidInputError, match="without a time zone"):
        advance(CLICKS, [0.5], [START.replace(tzinfo=None)])


@pytest.mark.parametrize("delta", [0.0, 1.0, -1.0])
def test_a_bound_that_is_no_probability_is_refused(delta: float) -> None:
    with pytest.raises(InvalidInputError, match="delta"):
        advance(CLICKS, [0.5], _times(1), delta=delta)


def test_blocks_of_nothing_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="block_size"):
        advance(CLICKS, [0.5], _times(1), block_size=0)
    with pytest.raises(InvalidInputError, match="max_blocks"):
        advance(CLICKS, [0.5], _times(1), max_blocks=9)


def _clicks(seed: int, *parts: tuple[float, int]) -> list[float]:
    rng = np.random.default_rng(seed)
    clicks = np.concatenate([rng.random(size) < rate for rate, size in parts])
    return [float(click) for click in clicks]


def _times(size: int) -> list[datetime]:
    return [START + timedelta(seconds=number) for number in range(size)]
