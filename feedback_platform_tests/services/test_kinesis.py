"""A Kinesis stream on one server becomes interactions of a lake on another."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import boto3
import pytest

from feedback_platform_tests.installation import Installation
from feedback_platform_tests.services.processes import run

COMMAND: Final = (sys.executable, "-m", "feedback_platform")
STREAM: Final = "shop"
EVENTS: Final = 1500
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
    kinesis = boto3.client("kinesis")
    kinesis.create_stream(StreamName=STREAM, ShardCount=2)
    kinesis.get_waiter("stream_exists").wait(StreamName=STREAM)
    events = [
        {"event_id": f"e{n}", "event_type": "item_viewed", "user_id": f"u{n % 40}", "item_id": "x"}
        for n in range(EVENTS)
    ]
    for start in range(0, EVENTS, BATCH):
        answer = kinesis.put_records(
            StreamName=STREAM,
            Records=[
                {"Data": json.dumps(event).encode(), "PartitionKey": str(event["user_id"])}
                for event in events[start : start + BATCH]
            ],
        )
        assert answer["FailedRecordCount"] == 0

    first = ingest(installation)
    again = ingest(installation)
    command(installation, "process")

    assert (first["messages"], again["messages"]) == (EVENTS, 0)
    (counted,) = installation.query(
        "select count(*) as events, count(distinct event_id) as ids, count(distinct user_id) as "
        "users from interaction.interactions"
    ).to_dicts()
    assert counted == {"events": EVENTS, "ids": EVENTS, "users": 40}


def ingest(installation: Installation) -> dict[str, Any]:
    outcome: dict[str, Any] = json.loads(
        command(installation, "ingest", "kinesis", "--stream", STREAM, "--until-end", "--json")
    )
    return outcome


def command(installation: Installation, *words: str) -> str:
    directory = installation.settings.data_dir
    return run([*COMMAND, *words, "--data-dir", str(directory)], cwd=directory)
