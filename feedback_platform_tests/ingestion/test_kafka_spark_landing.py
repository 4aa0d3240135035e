"""What Spark's workers do with a micro-batch, in this process: no Spark, no Kafka."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest

from feedback_platform.ingestion.kafka_positions import kafka_partition
from feedback_platform.ingestion.kafka_spark_landing import LANDED_COLUMNS, KafkaLanding
from feedback_platform.ingestion.streams import partition_writer
from feedback_platform.ingestion.streams.claims import Claim, Claims
from feedback_platform.lake.raw import list_raw_objects, read_raw_object
from feedback_platform.lake.store import Lake

INCARNATION = "0a1b2c3d"
AT = 1_772_000_000_000


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake((tmp_path / "lake").as_uri())


def batch(offsets: Sequence[int], number: int = 0) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(
        [
            {
                "topic": "events",
                "partition": number,
                "offset": offset,
                "timestamp": AT + offset,
                "value": orjson.dumps({"n": offset}),
            }
            for offset in offsets
        ]
    )


def landed(
    lake: Lake, *batches: pa.RecordBatch, stored: dict[tuple[str, int], int] | None = None
) -> list[dict[str, Any]]:
    landing = KafkaLanding(lake.url, None, {"events": INCARNATION}, stored or {})
    return [row for rows in landing(batches) for row in rows.to_pylist()]


def numbers(lake: Lake) -> list[int]:
    return [
        orjson.loads(line)["message"]["n"]
        for key in list_raw_objects(lake)
        for line in read_raw_object(lake, key).splitlines()
    ]


def test_messages_become_objects_named_by_their_offsets(lake: Lake) -> None:
    (row,) = landed(lake, batch(range(3)), batch(range(3, 5)))

    (key,) = list_raw_objects(lake)
    assert key.endswith(f"/kafka-events-0-{INCARNATION}{0:020}{4:020}.ndjson.zst")
    assert numbers(lake) == [0, 1, 2, 3, 4]
    assert [text.split()[0] for text in LANDED_COLUMNS.split(", ")] == list(row)
    assert (row["topic"], row["number"], row["position"]) == ("events", 0, 5)
    assert (row["messages"], row["undecodable"], row["objects"]) == (5, 0, 1)
    assert row["failure"] is None


def test_a_batch_that_comes_again_writes_nothing_new(lake: Lake) -> None:
    first = landed(lake, batch(range(5)))
    before = list_raw_objects(lake)

    again = landed(lake, batch(range(5)))

    assert again == first
    assert list_raw_objects(lake) == before


def test_what_was_stored_before_is_passed_over(lake: Lake) -> None:
    (row,) = landed(lake, batch(range(5)), stored={("events", 0): 3})

    assert numbers(lake) == [3, 4]
    assert row["messages"] == 2
    assert landed(lake, batch(range(5)), stored={("events", 0): 5}) == []


def test_a_large_batch_is_stored_while_it_is_read(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition_writer, "MAX_MESSAGES", 2)

    (row,) = landed(lake, batch(range(5)))

    assert (row["objects"], row["position"]) == (3, 5)
    assert numbers(lake) == [0, 1, 2, 3, 4]


def test_partitions_are_stored_apart(lake: Lake) -> None:
    rows = landed(lake, batch(range(2)), batch(range(7, 9), number=1))

    assert [(row["number"], row["position"]) for row in rows] == [(0, 2), (1, 9)]
    assert len(list_raw_objects(lake)) == 2


def test_a_claim_that_reaches_beyond_the_batch_says_who_has_to_finish(lake: Lake) -> None:
    partition = kafka_partition("events", 0, INCARNATION)
    Claims(lake, partition).made(Claim(0, 9, AT, AT))

    (row,) = landed(lake, batch(range(5)))

    assert list_raw_objects(lake) == []
    assert "ingest kafka --until-end" in row["failure"]
    assert (row["is_transient"], row["position"]) == (False, 0)


def test_a_lake_that_fails_is_told_as_something_that_may_pass(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "lake" / "raw").mkdir(parents=True)
    # A file where a directory is needed: no write succeeds.
    (tmp_path / "lake" / "raw" / "events").write_text("in the way")

    (row,) = landed(lake, batch(range(5)))

    assert row["failure"]
    assert row["is_transient"]
