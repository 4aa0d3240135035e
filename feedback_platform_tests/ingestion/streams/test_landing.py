from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from feedback_platform.errors import LakeUnavailableError, TransientError
from feedback_platform.ingestion.streams import landing as landing_module
from feedback_platform.ingestion.streams import partition_writer
from feedback_platform.ingestion.streams.landing import StreamLanding
from feedback_platform.ingestion.streams.partition import StreamPartition
from feedback_platform.lake.raw import list_raw_objects
from feedback_platform.lake.store import Lake
from feedback_platform_tests.ingestion.streams.world import (
    NOW,
    PARTITION,
    Offsets,
    decode,
    lake_at,
    message,
    stored_positions,
)


class BrokenLake(Lake):
    """A lake that fails at keys with a certain text in them, while there is one."""

    broken: str | None = None

    def put(self, key: str, data: bytes, *, mode: Literal["create", "overwrite"]) -> None:
        if self.broken is not None and self.broken in key:
            raise LakeUnavailableError("the lake failed")
        super().put(key, data, mode=mode)


class Silent(Offsets):
    """Offsets that are not committed the first time."""

    failures = 1

    def store(self, positions: Mapping[StreamPartition, int]) -> None:
        if self.failures:
            self.failures -= 1
            raise TransientError("not committed")
        super().store(positions)


@pytest.fixture
def lake(tmp_path: Path) -> BrokenLake:
    return BrokenLake(lake_at(tmp_path).url)


@pytest.fixture
def offsets() -> Offsets:
    return Offsets()


@pytest.fixture
def landing(lake: Lake, offsets: Offsets) -> Iterator[StreamLanding]:
    landing = StreamLanding(lake, offsets, decode, linger=60.0, clock=lambda: NOW)
    yield landing
    landing.close()


def partition(number: int) -> StreamPartition:
    return replace(PARTITION, source=f"kafka-events-{number}", number=str(number))


def test_what_was_stored_is_counted_as_read_and_not_before(
    landing: StreamLanding, lake: BrokenLake, offsets: Offsets
) -> None:
    writer = landing.open(PARTITION)
    for position in range(3):
        writer.add(message(position))
    lake.broken = "raw/events"
    with pytest.raises(LakeUnavailableError):
        landing.land_all()
    assert offsets.at == {}

    lake.broken = None
    landing.land_all()

    assert offsets.at == {PARTITION: 3}
    assert (landing.landed.messages, landing.landed.objects) == (3, 1)


def test_one_partition_that_fails_does_not_hold_up_the_others(
    landing: StreamLanding, lake: BrokenLake, offsets: Offsets
) -> None:
    for number in range(3):
        landing.open(partition(number)).add(message(7))
    lake.broken = "kafka-events-1-0a1b"
    with pytest.raises(LakeUnavailableError):
        landing.land_all()
    assert offsets.at == {partition(0): 8, partition(2): 8}

    lake.broken = None
    landing.land_all()

    assert offsets.at == {partition(number): 8 for number in range(3)}
    assert len(list_raw_objects(lake)) == 3


def test_positions_that_were_not_remembered_are_tried_again_and_counted_once(lake: Lake) -> None:
    offsets = Silent()
    landing = StreamLanding(lake, offsets, decode, linger=60.0, clock=lambda: NOW)
    landing.open(PARTITION).add(message(0))
    with pytest.raises(TransientError):
        landing.land_all()

    landing.land_all()
    landing.close()

    assert offsets.at == {PARTITION: 1}
    assert landing.landed.messages == 1
    assert stored_positions(lake) == [0]


def test_what_another_consumer_stored_meanwhile_is_not_stored_again(
    landing: StreamLanding, lake: Lake, offsets: Offsets
) -> None:
    writer = landing.open(PARTITION)
    writer.add(message(0))
    offsets.at[PARTITION] = 5

    landing.land_all()

    assert list_raw_objects(lake) == []
    assert lake.list_keys("raw/claims") == []
    assert offsets.rewound == [(PARTITION, 5)]
    assert writer.buffered == 0


def test_messages_wait_for_others_but_not_for_ever(
    landing: StreamLanding, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = landing.open(PARTITION)
    writer.add(message(0))
    landing.land_due()
    assert list_raw_objects(lake) == []

    later = time.monotonic() + 61
    monkeypatch.setattr(time, "monotonic", lambda: later)
    landing.land_due()

    assert stored_positions(lake) == [0]


def test_what_is_full_does_not_wait(
    landing: StreamLanding, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition_writer, "MAX_MESSAGES", 2)
    writer = landing.open(PARTITION)
    for position in range(5):
        writer.add(message(position))

    landing.land_due()

    assert stored_positions(lake) == [0, 1, 2, 3]
    assert writer.buffered == 1


def test_nothing_waits_where_memory_runs_short(
    landing: StreamLanding, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landing_module, "MAX_BUFFERED_BYTES", 10)
    for number in range(3):
        landing.open(partition(number)).add(message(0))

    landing.land_due()

    assert len(list_raw_objects(lake)) == 3


@pytest.mark.parametrize(("partitions", "linger"), [(1, 1.0), (2, 1.0), (10, 5.0), (200, 30.0)])
def test_more_partitions_wait_longer_so_that_objects_stay_few(
    lake: Lake, offsets: Offsets, partitions: int, linger: float
) -> None:
    landing = StreamLanding(lake, offsets, decode, linger=1.0)
    for number in range(partitions):
        landing.open(partition(number))
    assert landing.linger == linger
    landing.close()


def test_a_partition_that_was_handed_over_is_forgotten(
    landing: StreamLanding, lake: Lake, offsets: Offsets
) -> None:
    landing.open(partition(0)).add(message(0))
    landing.open(partition(1)).add(message(0))

    landing.land_all([partition(0)])
    landing.drop(partition(0))
    landing.drop(partition(1))
    landing.land_all()

    assert offsets.at == {partition(0): 1}
    assert len(list_raw_objects(lake)) == 1
