"""A Kinesis stream on one server becomes interactions of a lake on another."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import boto3
import pytest

from feedback_platform.lake.raw import list_raw_objects, read_raw_object
from feedback_platform.lake.store import Lake
from feedback_platform_tests.installation import Installation
from feedback_platform_tests.services.processes import run, running

COMMAND: Final = (sys.executable, "-m", "feedback_platform")
EVENTS: Final = 1500
USERS: Final = 40
PATIENCE: Final = 60.0
# Kinesis takes so many in one call.
BATCH: Final = 500


@pytest.fixture
def installation(
    s3_lake_url: str, kinesis_endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Installation:
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", kinesis_endpoint)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("FEEDBACK_LAKE_URL", s3_lake_url)
    (tmp_path / "data").mkdir()
    return Installation(tmp_path / "data", s3_lake_url)


def test_every_record_becomes_one_interaction_however_often_the_stream_is_read(
    installation: Installation,
) -> None:
    kinesis = new_stream("shop", shards=2)
    for start in range(0, EVENTS, BATCH):
        put(kinesis, "shop", range(start, start + BATCH))

    first = ingest(installation, "shop")
    again = ingest(installation, "shop")
    command(installation, "process")

    assert (first["messages"], again["messages"]) == (EVENTS, 0)
    assert counted(installation) == {"events": EVENTS, "ids": EVENTS, "users": USERS}


def test_every_record_is_stored_once_while_shards_are_split_and_merged_and_consumers_killed(
    installation: Installation, tmp_path: Path
) -> None:
    kinesis = new_stream("mall", shards=2)
    first, second, third, fourth, merged = map(shard_id, range(5))
    put(kinesis, "mall", range(500))

    with consumer(installation, "mall", tmp_path / "first.log") as process:
        until(lambda: ids(range(500)) <= set(stored(installation)))
        kinesis.split_shard(StreamName="mall", ShardToSplit=first, NewStartingHashKey=str(2**126))
        put(kinesis, "mall", range(500, 1000))
        process.kill()
    with consumer(installation, "mall", tmp_path / "second.log") as process:
        until(lambda: ids(range(1000)) <= set(stored(installation)))
        kinesis.merge_shards(StreamName="mall", ShardToMerge=fourth, AdjacentShardToMerge=second)
        put(kinesis, "mall", range(1000, EVENTS))
        process.kill()
    ingest(installation, "mall")

    assert sorted(stored(installation)) == sorted(ids(range(EVENTS)))
    assert history(tmp_path / "first.log")[:2] == [("Reading", first), ("Reading", second)]
    assert history(tmp_path / "second.log")[:5] == [
        ("Reading", first),
        ("Reading", second),
        ("Finished", first),
        ("Reading", third),
        ("Reading", fourth),
    ]
    assert checkpoints(installation) == {
        first: True,
        second: True,
        third: False,
        fourth: True,
        merged: False,
    }


def new_stream(name: str, *, shards: int) -> Any:
    kinesis = boto3.client("kinesis")
    kinesis.create_stream(StreamName=name, ShardCount=shards)
    kinesis.get_waiter("stream_exists").wait(StreamName=name)
    return kinesis


def put(kinesis: Any, stream: str, numbers: range) -> None:
    records = [
        {
            "Data": json.dumps(
                {
                    "event_id": f"e{n}",
                    "event_type": "item_viewed",
                    "user_id": f"u{n % USERS}",
                    "item_id": "x",
                }
            ).encode(),
            "PartitionKey": f"u{n % USERS}",
        }
        for n in numbers
    ]
    assert kinesis.put_records(StreamName=stream, Records=records)["FailedRecordCount"] == 0


def shard_id(number: int) -> str:
    return f"shardId-{number:012d}"


def ids(numbers: range) -> set[str]:
    return {f"e{n}" for n in numbers}


@contextmanager
def consumer(
    installation: Installation, stream: str, log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A consumer that does not end by itself."""
    directory = str(installation.settings.data_dir)
    words = ("ingest", "kinesis", "--stream", stream, "--data-dir", directory)
    with running([*COMMAND, *words], log=log, is_ready=lambda: bool(history(log))) as process:
        yield process


def history(log: Path) -> list[tuple[str, str]]:
    """Which shards a consumer began to read, and which it finished."""
    return re.findall(r"(Reading|Finished) \S+-(shardId-\d+)", log.read_text())


def stored(installation: Installation) -> list[str]:
    """The ids of the events in the lake, as often as they lie there."""
    lake = Lake(installation.settings.lake_url)
    contents = [read_raw_object(lake, key) for key in list_raw_objects(lake)]
    return [
        json.loads(line)["message"]["event_id"]
        for content in contents
        for line in content.splitlines()
    ]


def checkpoints(installation: Installation) -> dict[str, bool]:
    """Whether each shard that was read is stored to its end."""
    lake = Lake(installation.settings.lake_url)
    found = [json.loads(lake.get(key)) for key in lake.list_keys("raw/checkpoints")]
    return {checkpoint["shard"]: checkpoint["is_finished"] for checkpoint in found}


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.1)


def counted(installation: Installation) -> dict[str, Any]:
    (row,) = installation.query(
        "select count(*) as events, count(distinct event_id) as ids, count(distinct user_id) as "
        "users from interaction.interactions"
    ).to_dicts()
    return row


def ingest(installation: Installation, stream: str) -> dict[str, Any]:
    outcome: dict[str, Any] = json.loads(
        command(installation, "ingest", "kinesis", "--stream", stream, "--until-end", "--json")
    )
    return outcome


def command(installation: Installation, *words: str) -> str:
    directory = installation.settings.data_dir
    return run([*COMMAND, *words, "--data-dir", str(directory)], cwd=directory)
