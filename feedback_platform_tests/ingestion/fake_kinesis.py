"""Kinesis as AWS describes it, in memory, with the calls of boto3's client that are used.

What moto leaves out is here: closed shards whose iterators end, iterators that expire, throttling.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

CREATED_AT = datetime(2026, 3, 1, tzinfo=UTC)
# As large as the numbers of AWS.
FIRST_SEQUENCE = 49_590_338_271_490_256_608_559_692_538_361_571_095_921_575_989_136_588_898


@dataclass
class FakeShard:
    shard_id: str
    parents: list[str]
    records: list[dict[str, Any]] = field(default_factory=list)
    is_open: bool = True


class FakeKinesis:
    def __init__(self, shards: int = 1) -> None:
        self.shards: dict[str, FakeShard] = {}
        self.failures: list[str] = []
        self.iterators_asked: list[tuple[str, str]] = []
        self.created_at = CREATED_AT
        self._sequence = FIRST_SEQUENCE
        for _ in range(shards):
            self.add_shard()

    def add_shard(self, *parents: str) -> str:
        shard_id = f"shardId-{len(self.shards):012d}"
        self.shards[shard_id] = FakeShard(shard_id, list(parents))
        for parent in parents:
            self.shards[parent].is_open = False
        return shard_id

    def put(self, shard_id: str, *values: bytes, at: datetime | None = None) -> None:
        for value in values:
            self._sequence += 17
            record = {
                "SequenceNumber": str(self._sequence),
                "ApproximateArrivalTimestamp": at or datetime.now(UTC),
                "Data": value,
            }
            self.shards[shard_id].records.append(record)

    def fail(self, *codes: str) -> None:
        """Answer the next reads with errors."""
        self.failures += codes

    def describe_stream_summary(self, StreamName: str) -> dict[str, Any]:  # noqa: N803 - boto3's
        return {
            "StreamDescriptionSummary": {
                "StreamARN": f"arn:aws:kinesis:us-east-1:1:stream/{StreamName}",
                "StreamCreationTimestamp": self.created_at,
            }
        }

    def list_shards(self, **request: str) -> dict[str, Any]:
        first = int(request.get("NextToken", "0"))
        shards = list(self.shards.values())
        page: dict[str, Any] = {"Shards": [_listed(shard) for shard in shards[first : first + 2]]}
        if len(shards) > first + 2:
            page["NextToken"] = str(first + 2)
        return page

    def get_shard_iterator(self, **request: Any) -> dict[str, str]:
        kind = request["ShardIteratorType"]
        self.iterators_asked.append((request["ShardId"], kind))
        records = self.shards[request["ShardId"]].records
        number = int(request.get("StartingSequenceNumber", "0"))
        since = request.get("Timestamp")
        passed = {
            "TRIM_HORIZON": lambda _: False,
            "AT_SEQUENCE_NUMBER": lambda record: int(record["SequenceNumber"]) < number,
            "AFTER_SEQUENCE_NUMBER": lambda record: int(record["SequenceNumber"]) <= number,
            "AT_TIMESTAMP": lambda record: record["ApproximateArrivalTimestamp"] < since,
        }[kind]
        return {"ShardIterator": f"{request['ShardId']}/{sum(map(passed, records))}"}

    def get_records(self, ShardIterator: str, Limit: int) -> dict[str, Any]:  # noqa: N803, ARG002
        if self.failures:
            code = self.failures.pop(0)
            raise ClientError({"Error": {"Code": code, "Message": "as told"}}, "GetRecords")
        shard_id, _, place = ShardIterator.partition("/")
        shard = self.shards[shard_id]
        # A few at a time, so that reading a shard takes several calls.
        found = shard.records[int(place) : int(place) + 3]
        next_place = int(place) + len(found)
        left = len(shard.records) - next_place
        answer = {"Records": found, "MillisBehindLatest": 1000 * left}
        if shard.is_open or left:
            answer["NextShardIterator"] = f"{shard_id}/{next_place}"
        return answer


def _listed(shard: FakeShard) -> dict[str, Any]:
    names = ("ParentShardId", "AdjacentParentShardId")
    listed: dict[str, Any] = {
        "ShardId": shard.shard_id,
        "SequenceNumberRange": {"StartingSequenceNumber": "0"},
        **dict(zip(names, shard.parents, strict=False)),
    }
    if not shard.is_open:
        listed["SequenceNumberRange"]["EndingSequenceNumber"] = "9" * 56
    return listed
