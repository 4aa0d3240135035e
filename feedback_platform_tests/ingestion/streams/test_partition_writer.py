from __future__ import annotations

import base64
from datetime import datetime
from pathlib import Path

import orjson
import pytest

from feedback_platform.ingestion.kinesis_decoding import kinesis_pieces
from feedback_platform.ingestion.streams import lines, partition_writer
from feedback_platform.ingestion.streams.partition import Message
from feedback_platform.ingestion.streams.partition_writer import PartitionWriter, Written
from feedback_platform.lake import keys, raw
from feedback_platform.lake.raw import list_raw_objects, read_raw_object
from feedback_platform.lake.store import Lake
from feedback_platform_tests.ingestion.streams.world import (
    NOW,
    PARTITION,
    decode,
    hours_ago,
    lake_at,
    message,
    milliseconds,
    stored_positions,
)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return lake_at(tmp_path)


def writer_of(lake: Lake, *messages: Message, now: datetime = NOW) -> PartitionWriter:
    writer = PartitionWriter(lake, PARTITION, decode, clock=lambda: now)
    for each in messages:
        writer.add(each)
    return writer


def land(writer: PartitionWriter) -> list[Written]:
    written = []
    while claim := writer.claim():
        written.append(writer.write(claim))
        writer.settle(claim)
    return written


def claims(lake: Lake) -> list[int]:
    return [int(key[-25:-5]) for key in lake.list_keys("raw/claims")]


def test_an_object_is_named_by_the_range_of_its_claim(lake: Lake) -> None:
    (written,) = land(writer_of(lake, message(5), message(6), message(9)))

    assert written == Written(messages=3, undecodable=0, bytes=written.bytes)
    (key,) = list_raw_objects(lake)
    directory, _, name = key.rpartition("/")
    assert directory == "raw/events/dt=2026-03-01/hr=10"
    assert name == f"kafka-events-3-0a1b2c3d{5:020d}{9:020d}.ndjson.zst"
    assert claims(lake) == [5]


def test_an_object_never_spans_hours(lake: Lake) -> None:
    before, after = NOW.replace(hour=9, minute=59), NOW.replace(minute=0)
    land(writer_of(lake, message(0, before), message(1, after), message(2, before)))

    names = [(key[28:30], key[-30:-11]) for key in list_raw_objects(lake)]
    assert names == [("09", f"{0:019d}"), ("10", f"{2:019d}")]


def test_an_object_holds_a_bounded_number_of_messages(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition_writer, "MAX_MESSAGES", 3)
    monkeypatch.setattr(partition_writer, "MAX_BYTES", 100)
    big = [message(n, content={"text": "x" * 60}) for n in (7, 8, 9)]
    writer = writer_of(lake, *map(message, range(7)), *big)
    assert writer.is_full

    assert [written.messages for written in land(writer)] == [3, 3, 3, 1]
    assert not writer.is_full


def test_a_claim_that_reaches_further_is_waited_for(lake: Lake) -> None:
    land(writer_of(lake, *map(message, range(4))))
    for key in list_raw_objects(lake):
        lake.delete([key])
    writer = writer_of(lake, message(0), message(1))
    assert land(writer) == []
    assert writer.is_held_up

    writer.add(message(2))
    assert land(writer) == []
    writer.add(message(3))
    writer.add(message(4))

    assert [written.messages for written in land(writer)] == [4, 1]
    assert stored_positions(lake) == [0, 1, 2, 3, 4]


def test_a_claim_whose_last_message_was_compacted_away_is_not_waited_for(lake: Lake) -> None:
    land(writer_of(lake, message(0), message(1)))
    writer = writer_of(lake, message(0))
    assert writer.claim() is None

    writer.reach(1)

    assert len(land(writer)) == 1
    assert stored_positions(lake) == [0, 1]


def test_reading_again_from_within_an_object_stores_nothing_twice(lake: Lake) -> None:
    land(writer_of(lake, *map(message, range(4))))

    land(writer_of(lake, *map(message, range(2, 6))))

    assert stored_positions(lake) == [0, 1, 2, 3, 4, 5]


def test_messages_that_took_the_positions_of_lost_ones_are_stored_beside_them(
    lake: Lake, caplog: pytest.LogCaptureFixture
) -> None:
    land(writer_of(lake, message(0), message(1)))
    others = [message(n, content={"other": n}) for n in (0, 1)]

    land(writer_of(lake, *others))
    land(writer_of(lake, *others))

    assert stored_positions(lake) == [0, 1, 0, 1]
    assert "not those stored before" in caplog.text


def test_a_message_that_is_too_deep_to_be_written_again_is_read_again(
    lake: Lake, caplog: pytest.LogCaptureFixture
) -> None:
    deep = Message(1, milliseconds(NOW), b'{"a":' + b"[" * 300 + b"]" * 300 + b"}")
    land(writer_of(lake, message(0), deep, message(2)))

    # From within the object, and with another message in front of it.
    land(writer_of(lake, deep, message(2)))
    assert stored_positions(lake) == [0, 1, 2]
    land(writer_of(lake, message(0, content={"other": 0}), deep, message(2)))

    assert stored_positions(lake) == [0, 1, 2, 0, 1, 2]
    assert "not those stored before" in caplog.text


@pytest.mark.parametrize(("hours", "is_announced"), [(0, False), (1, False), (2, True), (50, True)])
def test_an_object_behind_the_newest_hours_is_announced(
    lake: Lake, hours: int, *, is_announced: bool
) -> None:
    land(writer_of(lake, message(0, hours_ago(hours))))

    announced = lake.list_keys(keys.BACKFILLS)
    assert [key.startswith("raw/backfills/kafka-events-3-") for key in announced] == (
        [True] if is_announced else []
    )


def test_old_claims_are_deleted_and_new_ones_kept(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition_writer, "KEPT_CLAIMS", 2)
    writer = writer_of(lake)
    for position in range(5):
        writer.add(message(position))
        land(writer)
    assert claims(lake) == [3, 4]

    # A successor knows those of its predecessor.
    land(writer_of(lake, message(5)))

    assert claims(lake) == [4, 5]


class PrunedLake(Lake):
    """A lake in which the newest claim is deleted right after the first listing."""

    is_pruned = False

    def list_keys(self, prefix: str, *, after: str | None = None) -> list[str]:
        listed = super().list_keys(prefix, after=after)
        if not self.is_pruned:
            self.is_pruned = True
            self.delete(listed[-1:])
        return listed


def test_a_claim_that_is_deleted_while_it_is_looked_for_is_none(lake: Lake) -> None:
    land(writer_of(lake, message(0), message(1)))

    land(writer_of(PrunedLake(lake.url), message(2)))

    assert stored_positions(lake) == [0, 1, 2]


def test_a_position_whose_claim_was_left_by_a_consumer_too_late_is_given_up(lake: Lake) -> None:
    writer = writer_of(lake, message(0))
    writer.claim()

    writer.abandon()

    assert claims(lake) == []
    assert (writer.buffered, writer.waiting_since, writer.claim()) == (0, None, None)


def test_a_tombstone_is_put_aside(lake: Lake) -> None:
    (written,) = land(writer_of(lake, Message(0, 0, None), message(1)))
    assert (written.messages, written.undecodable) == (2, 1)


def test_a_message_that_would_become_many_times_its_size_is_put_aside_as_it_is(lake: Lake) -> None:
    hostile = Message(1, milliseconds(NOW), b"{}" * 1000)
    writer = PartitionWriter(lake, PARTITION, kinesis_pieces, clock=lambda: NOW)
    for each in (message(0), hostile, message(2)):
        writer.add(each)

    (written,) = land(writer)

    assert (written.messages, written.undecodable) == (3, 1)
    (key,) = list_raw_objects(lake)
    put_aside = orjson.loads(read_raw_object(lake, key).splitlines()[1])
    assert base64.b64decode(put_aside["bytes"]) == hostile.value
    assert put_aside["refusal"]["field"] == "too many bytes once it is decoded"


def test_events_may_be_small_and_many_in_a_message(lake: Lake) -> None:
    event = b'{"event_type":"item_liked","user_id":"u","item_id":"i"}'
    writer = PartitionWriter(lake, PARTITION, kinesis_pieces, clock=lambda: NOW)
    writer.add(Message(0, milliseconds(NOW), event * 1000))

    (written,) = land(writer)

    assert (written.undecodable, len(stored_positions(lake))) == (0, 1000)


def test_a_full_buffer_never_becomes_an_object_that_cannot_be_read() -> None:
    # All but the last message are less than MAX_BYTES together.
    most = partition_writer.MAX_MESSAGES * lines.SMALL_BYTES
    most += lines.GROWTH * partition_writer.MAX_BYTES + lines.MOST_BYTES

    assert most < raw.MAX_OBJECT_BYTES


def test_what_lies_in_an_object_that_nobody_can_read_is_stored_beside_it(lake: Lake) -> None:
    land(writer_of(lake, message(0), message(1)))
    (key,) = list_raw_objects(lake)
    lake.put(key, b"cut short", mode="overwrite")

    land(writer_of(lake, message(0), message(1)))

    (beside,) = [other for other in list_raw_objects(lake) if other != key]
    assert read_raw_object(lake, beside).count(b"\n") == 2
