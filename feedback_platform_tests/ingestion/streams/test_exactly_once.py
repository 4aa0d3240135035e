"""Whatever order the requests of any number of consumers come in, and wherever one is killed."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from feedback_platform.ingestion.streams import partition_writer
from feedback_platform.ingestion.streams.partition import Message
from feedback_platform.lake.raw import list_raw_objects
from feedback_platform_tests.ingestion.streams.world import (
    NOW,
    PARTITION,
    Consumer,
    Offsets,
    lake_at,
    message,
    milliseconds,
    run_to_end,
    stored_objects,
    stored_positions,
)

_FATES = st.sampled_from(["go"] * 8 + ["killed before", "killed after"])
_PIECES = st.lists(st.integers(1, 7), min_size=1, max_size=4)
# What happens next: to which consumer, what, and with which pieces a new one reads.
_STEPS = st.lists(
    st.tuples(st.integers(0, 3), st.one_of(_FATES, st.just("another joins")), _PIECES),
    max_size=120,
)


@st.composite
def logs(draw: st.DrawFn) -> list[Message]:
    """Messages at positions with gaps, with times in and out of order, absent, or still to come."""
    gaps = draw(st.lists(st.sampled_from([1, 1, 1, 2, 9]), min_size=1, max_size=25))
    minutes = st.integers(-200, 20)
    messages = []
    position = draw(st.integers(0, 5))
    for gap in gaps:
        minute = draw(st.one_of(minutes, st.none()))
        stamped = message(position, NOW + timedelta(minutes=minute or 0))
        messages.append(stamped if minute is not None else stamped._replace(timestamp=0))
        position += gap
    return messages


@given(
    log=logs(),
    steps=_STEPS,
    kept=st.sampled_from([0, 1, 1000]),
    is_refused_to_zombies=st.booleans(),
)
@hypothesis_settings(max_examples=150)
def test_every_message_is_stored_in_exactly_one_object(
    log: list[Message],
    steps: list[tuple[int, str, list[int]]],
    kept: int,
    *,
    is_refused_to_zombies: bool,
) -> None:
    with (
        tempfile.TemporaryDirectory() as directory,
        patch.object(partition_writer, "KEPT_CLAIMS", kept),
    ):
        lake = lake_at(Path(directory))
        broker = Offsets()
        everyone: list[Consumer] = []

        def join(pieces: Sequence[int]) -> Consumer:
            now = NOW + timedelta(minutes=len(everyone))
            consumer = Consumer(
                lake.url,
                log,
                broker,
                pieces,
                now=now,
                is_owner=lambda it: not is_refused_to_zombies or it is everyone[-1],
            )
            everyone.append(consumer)
            return consumer

        join([3])
        for number, event, pieces in steps:
            alive = [consumer for consumer in everyone if not consumer.turns.is_over]
            if event == "another joins" or not alive:
                join(pieces)
            else:
                alive[number % len(alive)].turns.step(event)
        # Those that were believed dead go on beside whoever took over, then all come to an end.
        last = join([2])
        for consumer in everyone:
            run_to_end(consumer)
        assert last.turns.is_over
        if not is_refused_to_zombies:
            assert broker.at[PARTITION] == log[-1].position + 1
        run_to_end(join([4]))

        assert sorted(stored_positions(lake)) == [each.position for each in log]
        assert broker.at[PARTITION] == log[-1].position + 1


@given(log=logs(), first=_PIECES, second=_PIECES)
@hypothesis_settings(max_examples=100)
def test_whoever_follows_the_claims_writes_the_same_objects(
    log: list[Message], first: list[int], second: list[int]
) -> None:
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        lake = lake_at(Path(one))
        run_to_end(_reader(lake.url, log, first, minutes=0))
        again = lake_at(Path(other))
        for key in lake.list_keys("raw/claims"):
            again.put(key, lake.get(key), mode="create")

        run_to_end(_reader(again.url, log, second, minutes=90))

        assert stored_objects(again) == stored_objects(lake)


@given(log=logs(), pieces=_PIECES)
@hypothesis_settings(max_examples=100)
def test_an_object_lies_in_the_hour_of_all_its_lines(log: list[Message], pieces: list[int]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        lake = lake_at(Path(directory))
        run_to_end(_reader(lake.url, log, pieces, minutes=0))

        for key, lines in stored_objects(lake).items():
            hour = f"{key[14:24]}T{key[28:30]}"
            for line in lines.splitlines():
                assert f'"received_at":"{hour}'.encode() in line
        assert len(list_raw_objects(lake)) <= len(log)


def _reader(url: str, log: list[Message], pieces: list[int], *, minutes: int) -> Consumer:
    now = NOW + timedelta(minutes=minutes)
    assert milliseconds(now) >= milliseconds(NOW)
    return Consumer(url, log, Offsets(), pieces, now=now, is_owner=lambda _: True)
