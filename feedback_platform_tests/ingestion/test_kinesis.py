from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import boto3
import orjson
import pytest

from feedback_platform.errors import InvalidSettingError, LakeUnavailableError
from feedback_platform.ingestion import kinesis, kinesis_shard
from feedback_platform.ingestion.kinesis import KinesisIngestion
from feedback_platform.ingestion.kinesis_client import (
    KinesisClient,
    KinesisRefusedError,
    KinesisUnavailableError,
)
from feedback_platform.ingestion.streams import patience
from feedback_platform.ingestion.streams.summary import StreamSummary
from feedback_platform.lake.raw import list_raw_objects, read_raw_object
from feedback_platform.lake.store import Lake
from feedback_platform_tests.ingestion.fake_kinesis import FIRST_SEQUENCE, FakeKinesis


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinesis_shard, "BEHIND_SECONDS", 0.0)
    monkeypatch.setattr(kinesis_shard, "CAUGHT_UP_SECONDS", 0.0)
    monkeypatch.setattr(kinesis, "_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(patience, "FIRST_SECONDS", 0.01)


@pytest.fixture
def stream() -> FakeKinesis:
    return FakeKinesis()


def event(number: int) -> bytes:
    return json.dumps({"n": number}).encode()


def read(lake: Lake, server: Any, **options: Any) -> StreamSummary:
    client = KinesisClient("Orders", server)
    return KinesisIngestion(lake, client, is_until_end=True, linger=0.05, **options).run()


def lines(lake: Lake) -> list[dict[str, Any]]:
    return [
        orjson.loads(line)
        for key in list_raw_objects(lake)
        for line in read_raw_object(lake, key).splitlines()
    ]


def numbers(lake: Lake) -> list[int]:
    return sorted(line["message"]["n"] for line in lines(lake))


def test_records_become_lines_of_an_object_named_by_stream_shard_and_sequence_numbers(
    lake: Lake, stream: FakeKinesis
) -> None:
    at = (datetime.now(UTC) - timedelta(seconds=2)).replace(microsecond=250_000)
    stream.put("shardId-000000000000", event(1), event(2), at=at)

    summary = read(lake, stream)

    (key,) = list_raw_objects(lake)
    name = key.rpartition("/")[2]
    first, last = FIRST_SEQUENCE + 17, FIRST_SEQUENCE + 34
    assert name.startswith("kinesis-orders-")
    assert "-000000000000-" in name
    assert name.endswith(f"{first:056d}{last:056d}.ndjson.zst")
    assert [line["message"] for line in lines(lake)] == [{"n": 1}, {"n": 2}]
    line = lines(lake)[0]
    assert (line["format"], line["source"]) == ("event", "Orders")
    assert line["received_at"] == f"{at:%Y-%m-%dT%H:%M:%S}.250000Z"
    assert line["fallback_id"].startswith(f"Orders-shardId-000000000000-{first}-")
    assert (summary.landed.messages, summary.landed.objects) == (2, 1)
    assert summary.lag == {"Orders-shardId-000000000000": 0}


def test_a_second_run_goes_on_behind_the_checkpoint(lake: Lake, stream: FakeKinesis) -> None:
    stream.put("shardId-000000000000", *map(event, range(10)))
    read(lake, stream)
    stream.put("shardId-000000000000", *map(event, range(10, 14)))

    summary = read(lake, stream)

    assert summary.landed.messages == 4
    assert numbers(lake) == list(range(14))
    assert stream.iterators_asked[-1] == ("shardId-000000000000", "AFTER_SEQUENCE_NUMBER")


def test_children_are_read_after_their_parents_and_parents_only_once(
    lake: Lake, stream: FakeKinesis
) -> None:
    parent = "shardId-000000000000"
    stream.put(parent, *map(event, range(7)))
    left, right = stream.add_shard(parent), stream.add_shard(parent)
    stream.put(left, *map(event, range(7, 12)))
    stream.put(right, *map(event, range(12, 15)))
    merged = stream.add_shard(left, right)
    stream.put(merged, *map(event, range(15, 20)))

    read(lake, stream)
    read(lake, stream)

    assert numbers(lake) == list(range(20))
    asked = [shard for shard, _ in stream.iterators_asked]
    assert asked[0] == parent
    assert set(asked[1:3]) == {left, right}
    # The second run asks for the one open shard and for none of the finished.
    assert asked[3:] == [merged, merged]


def test_a_shard_that_is_split_while_it_is_read_is_read_to_its_end(lake: Lake) -> None:
    stream = FakeKinesis()
    parent = "shardId-000000000000"
    stream.put(parent, *map(event, range(4)))
    asked = 0

    def is_stopping() -> bool:
        nonlocal asked
        asked += 1
        if asked == 20:
            child = stream.add_shard(parent)
            stream.put(child, *map(event, range(4, 8)))
        return len(stream.iterators_asked) > 1 and len(lines(lake)) == 8

    client = KinesisClient("Orders", stream)
    KinesisIngestion(lake, client, linger=0.01, is_stopping=is_stopping).run()

    assert numbers(lake) == list(range(8))


@pytest.mark.parametrize(
    "failure",
    ["ProvisionedThroughputExceededException", "ExpiredIteratorException", "InternalFailure"],
)
def test_a_failure_that_passes_delays_and_loses_nothing(
    lake: Lake, stream: FakeKinesis, failure: str
) -> None:
    stream.put("shardId-000000000000", *map(event, range(8)))
    stream.fail(failure, failure)

    read(lake, stream)

    assert numbers(lake) == list(range(8))


def test_an_iterator_that_expires_midway_is_replaced_by_one_behind_what_was_read(
    lake: Lake, stream: FakeKinesis
) -> None:
    stream.put("shardId-000000000000", *map(event, range(8)))
    calls = 0
    answer = stream.get_records

    def expiring(ShardIterator: str, Limit: int) -> dict[str, Any]:  # noqa: N803 - boto3's
        nonlocal calls
        calls += 1
        if calls == 2:
            stream.fail("ExpiredIteratorException")
        return answer(ShardIterator, Limit)

    stream.get_records = expiring  # type: ignore[method-assign]
    read(lake, stream)

    assert numbers(lake) == list(range(8))
    assert [kind for _, kind in stream.iterators_asked] == ["TRIM_HORIZON", "AFTER_SEQUENCE_NUMBER"]


def test_a_refusal_says_what_to_do(lake: Lake, stream: FakeKinesis) -> None:
    stream.fail("AccessDeniedException")
    with pytest.raises(KinesisRefusedError, match="AccessDeniedException for stream 'Orders'"):
        read(lake, stream)


def test_latest_begins_now_and_remembers_when_that_was(lake: Lake, stream: FakeKinesis) -> None:
    earlier = datetime.now(UTC) - timedelta(hours=1)
    parent = "shardId-000000000000"
    stream.put(parent, event(1), at=earlier)
    read(lake, stream, is_from_latest=True)
    assert lines(lake) == []
    # What arrives between two runs is wanted too, also where the shard was split meanwhile.
    stream.put(parent, event(2))
    child = stream.add_shard(parent)
    stream.put(child, event(3))

    read(lake, stream, is_from_latest=True)

    assert numbers(lake) == [2, 3]


def test_a_stream_made_anew_is_read_from_its_beginning(lake: Lake) -> None:
    first, second = FakeKinesis(), FakeKinesis()
    second.created_at += timedelta(days=1)
    first.put("shardId-000000000000", event(1))
    second.put("shardId-000000000000", event(2))

    read(lake, first)
    read(lake, second)

    assert numbers(lake) == [1, 2]


def test_what_cannot_be_decoded_is_put_aside_and_its_neighbours_are_kept(
    lake: Lake, stream: FakeKinesis
) -> None:
    aggregated = b"\xf3\x89\x9a\xc2" + b"\x0a\x01a"
    stream.put("shardId-000000000000", event(1), b"\xff", aggregated, b"[1]", event(2))

    summary = read(lake, stream)

    first, *refused, last = lines(lake)
    assert (first["message"], last["message"]) == ({"n": 1}, {"n": 2})
    assert [base64.b64decode(line["bytes"]) for line in refused] == [b"\xff", aggregated, b"[1]"]
    assert [line["refusal"]["field"] for line in refused] == [
        "not JSON",
        "aggregated by the KPL; send records unaggregated",
        "not a JSON object",
    ]
    assert {line["refusal"]["reason"] for line in refused} == {"undecodable_message"}
    assert summary.landed.undecodable == 3


def test_several_events_of_one_record_have_ids_of_their_own(
    lake: Lake, stream: FakeKinesis
) -> None:
    stream.put("shardId-000000000000", event(1) + event(2))

    read(lake, stream)

    base = f"Orders-shardId-000000000000-{FIRST_SEQUENCE + 17}"
    ids = [line["fallback_id"] for line in lines(lake)]
    assert numbers(lake) == [1, 2]
    assert [name.startswith(base) for name in ids] == [True, True]
    assert [name[-2:] for name in ids] == ["-0", "-1"]


class FailingLake(Lake):
    """A lake whose Nth write fails, before or after it is stored; `is_killed` ends the consumer."""

    def __init__(self, url: str, fails_at: int, *, is_stored: bool) -> None:
        super().__init__(url)
        self.writes = 0
        self.fails_at = fails_at
        self.is_stored = is_stored

    def put(self, key: str, data: bytes, *, mode: Literal["create", "overwrite"]) -> None:
        self.writes += 1
        is_failing = self.writes == self.fails_at
        if not is_failing or self.is_stored:
            super().put(key, data, mode=mode)
        if is_failing:
            raise LakeUnavailableError(f"write {self.writes} failed")


@pytest.mark.parametrize("is_stored", [False, True])
@pytest.mark.parametrize("fails_at", range(1, 8))
@pytest.mark.parametrize("is_from_latest", [False, True])
def test_a_kill_at_any_write_counts_every_record_once(
    lake: Lake, fails_at: int, *, is_stored: bool, is_from_latest: bool
) -> None:
    stream = FakeKinesis()
    broken = FailingLake(lake.url, fails_at, is_stored=is_stored)
    parent = "shardId-000000000000"
    after_the_start = datetime.now(UTC) + timedelta(minutes=1)
    stream.put(parent, *map(event, range(5)), at=after_the_start)
    child = stream.add_shard(parent)
    stream.put(child, *map(event, range(5, 8)), at=after_the_start)

    def is_killed() -> bool:
        return broken.writes >= broken.fails_at

    client = KinesisClient("Orders", stream)
    ingestion = KinesisIngestion(
        broken,
        client,
        is_from_latest=is_from_latest,
        is_until_end=True,
        linger=0.01,
        is_stopping=is_killed,
    )
    # Told to stop while the lake fails: what was read stays unconfirmed.
    with pytest.raises(LakeUnavailableError):
        _until_killed(ingestion, broken)
    read(lake, stream, is_from_latest=is_from_latest)

    assert numbers(lake) == list(range(8))


def _until_killed(ingestion: KinesisIngestion, broken: FailingLake) -> None:
    ingestion.run()
    if broken.writes < broken.fails_at:
        raise LakeUnavailableError("there were fewer writes")
    raise LakeUnavailableError("it ended with nothing in hand")


def test_an_outage_of_the_lake_is_waited_for(lake: Lake, stream: FakeKinesis) -> None:
    broken = FailingLake(lake.url, 2, is_stored=False)
    stream.put("shardId-000000000000", *map(event, range(5)))

    read(broken, stream)

    assert numbers(lake) == list(range(5))


@pytest.fixture
def moto_client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Any]]:
    """Kinesis over HTTP, found by AWS's own variables."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    yield lambda: boto3.client("kinesis", region_name="us-east-1")
    server.stop()


def test_a_stream_is_read_over_http(lake: Lake, moto_client: Callable[[], Any]) -> None:
    server = moto_client()
    server.create_stream(StreamName="Orders", ShardCount=2)
    records = [{"Data": event(number), "PartitionKey": str(number)} for number in range(300)]
    server.put_records(StreamName="Orders", Records=records)

    summary = read(lake, None)
    again = read(lake, None)

    assert numbers(lake) == list(range(300))
    assert (summary.landed.messages, again.landed.messages) == (300, 0)
    assert summary.lag == {
        "Orders-shardId-000000000000": 0,
        "Orders-shardId-000000000001": 0,
    }


@pytest.mark.usefixtures("moto_client")
def test_a_stream_that_does_not_exist_is_one_clear_line(lake: Lake) -> None:
    ingestion = KinesisIngestion(lake, KinesisClient("Nowhere"))
    with pytest.raises(KinesisRefusedError, match="create the stream, or check --stream"):
        ingestion.run()


def test_no_answer_is_a_failure_that_may_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with pytest.raises(KinesisUnavailableError, match="does not answer"):
        KinesisClient("Orders").shards()


def test_a_password_in_the_address_of_kinesis_is_refused_before_an_error_shows_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", "http://reader:91ce04d2@127.0.0.1:9")
    with pytest.raises(InvalidSettingError, match="AWS_ENDPOINT_URL") as refused:
        KinesisClient("Orders")
    assert "91ce04d2" not in str(refused.value)
