from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import polars as pl
import pytest

from feedback_platform.errors import LakeUnavailableError
from feedback_platform.lake.store import Lake
from feedback_platform.monitoring.drift import DriftEvent, StreamState, advance
from feedback_platform.monitoring.drift_state import (
    EVENTS_SCHEMA,
    SavedStates,
    list_events,
    load_states,
    save,
)
from feedback_platform.monitoring.rhythm import Hour

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVENT = DriftEvent(
    event_id="a1",
    stream="click_through",
    method="adwin",
    detected_at=START,
    width=1_600,
    before_mean=0.12,
    after_mean=0.0625,
    action="retrain",
)


class HaltingLake(Lake):
    """A lake that stops before its Nth write."""

    writes_left = 1_000

    def put(self, key: str, data: bytes, *, mode: Literal["create", "overwrite"]) -> None:
        if self.writes_left == 0:
            raise LakeUnavailableError("stopped")
        self.writes_left -= 1
        super().put(key, data, mode=mode)


@pytest.fixture
def lake(tmp_path: Path) -> HaltingLake:
    return HaltingLake((tmp_path / "lake").as_uri())


def test_before_the_first_save_there_is_nothing(lake: Lake) -> None:
    assert load_states(lake) == SavedStates(position=0, streams={})
    events = list_events(lake)
    assert events.is_empty()
    assert events.schema == EVENTS_SCHEMA


def test_states_come_back_bit_by_bit(lake: Lake) -> None:
    states = {
        "click_through": StreamState(
            "click_through",
            200,
            407,
            7,
            0.1 + 0.2,
            (1 / 3, 0.12),
            hours=(Hour(9, 407, 0.1 + 0.2, 1 / 7),),
        ),
        "mean_score": StreamState("mean_score"),
    }

    save(lake, states, [], position=5)

    assert load_states(lake) == SavedStates(position=5, streams=states)


def test_events_are_listed_in_the_order_of_their_detection(lake: Lake) -> None:
    later = replace(EVENT, event_id="a0", detected_at=START + timedelta(seconds=0.5))
    save(lake, {}, [later, EVENT], position=1)

    events = list_events(lake)

    assert events.schema == EVENTS_SCHEMA
    assert events.row(0, named=True) == {
        "stream": "click_through",
        "method": "adwin",
        "detected_at": START,
        "width": 1_600,
        "before_mean": 0.12,
        "after_mean": 0.0625,
        "action": "retrain",
        "event_id": "a1",
    }
    assert events["event_id"].to_list() == ["a1", "a0"]


def test_an_event_saved_again_is_still_one(lake: Lake) -> None:
    save(lake, {}, [EVENT], position=1)
    save(lake, {}, [EVENT], position=2)

    assert list_events(lake).height == 1


@pytest.mark.parametrize("writes", range(8))
def test_a_crash_at_any_write_neither_loses_nor_repeats_a_change(
    lake: HaltingLake, writes: int
) -> None:
    values = ([0.1] * 100 + [0.9] * 100) * 4
    batches = {number + 1: values[number * 80 : (number + 1) * 80] for number in range(10)}
    lake.writes_left = writes
    with pytest.raises(LakeUnavailableError):
        _process(lake, batches)

    lake.writes_left = 1_000
    _process(lake, batches)

    _, expected = advance(
        StreamState("score"), values, _times(0, 800), block_size=2, has_rhythm=False
    )
    assert list_events(lake)["event_id"].to_list() == [event.event_id for event in expected]
    assert load_states(lake).position == 10


def _process(lake: Lake, batches: dict[int, list[float]]) -> None:
    """Take every batch after the last saved one, as a sensor does."""
    saved = load_states(lake)
    streams = dict(saved.streams)
    for position, values in batches.items():
        if position <= saved.position:
            continue
        state = streams.get("score", StreamState("score"))
        times = _times((position - 1) * 80, len(values))
        streams["score"], events = advance(state, values, times, block_size=2, has_rhythm=False)
        save(lake, streams, events, position)


def _times(first: int, size: int) -> pl.Series:
    return pl.Series([START + timedelta(seconds=first + number) for number in range(size)])
