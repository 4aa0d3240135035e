"""What Spark's workers do, in this process: neither Spark nor Java is needed for it."""

from __future__ import annotations

import base64
import json
from typing import Any

import polars as pl
import pytest

from feedback_platform.cleaning.engines.spark_parsing import (
    BESIDE,
    Parsing,
    contents,
    parsed_columns,
    without_events,
)
from feedback_platform.cleaning.fetching import FetchedObject
from feedback_platform.cleaning.reading import RawObject, parse_objects
from feedback_platform.cleaning.typed_columns import typed_events
from feedback_platform.events.translation.mapping import DEFAULT_MAPPING
from feedback_platform.lake.keys import raw_object
from feedback_platform_tests.cleaning.lines import HOUR, event, ndjson


def _object(number: int, *lines: dict[str, Any] | bytes) -> FetchedObject:
    return FetchedObject(raw_object(HOUR, "web", str(number)), ndjson(*lines))


def _alone(objects: list[FetchedObject]) -> list[RawObject]:
    return [parse_objects([item.canonical()])[0] for item in objects]


def _received(**facts: Any) -> bytes:
    return json.dumps({"format": "event", **facts}, separators=(",", ":")).encode()


POISON = (
    _received(received_at="2026-03-01T10:02:00Z", message=7),
    _received(received_at=json.loads("[" * 400 + "]" * 400), message=7),
    _received(message=event("of a message")),
    json.dumps(
        {
            "format": "opaque",
            "refusal": {"reason": "undecodable_message", "field": "not JSON"},
            "bytes": base64.b64encode(b"\xff\x00").decode(),
        },
        separators=(",", ":"),
    ).encode(),
    b"{broken",
)


def _parsed(objects: list[FetchedObject], part_bytes: int = 1) -> pl.DataFrame:
    batches = contents(objects, part_bytes).to_batches()
    return pl.concat(pl.DataFrame(batch) for batch in Parsing(DEFAULT_MAPPING)(batches))


def test_the_events_are_those_that_every_engine_reads() -> None:
    objects = [_object(1, event("a"), *POISON), _object(2, event("b", value="much"))]

    rows = _parsed(objects)

    events = rows.filter(pl.col(BESIDE).is_null()).drop(BESIDE)
    assert events.equals(typed_events([item.texts for item in _alone(objects)]))
    assert events["event_id"].to_list() == ["a", "of a message", "b"]


def test_what_lies_beside_the_events_is_the_same_on_the_other_side() -> None:
    item = _object(1, event("a"), *POISON)
    (beside,) = _parsed([item])[BESIDE].drop_nulls()

    read, expected = without_events(item, beside), _alone([item])[0]

    assert (
        (read.lines, read.unreadable_rows) == (expected.lines, expected.unreadable_rows) == (6, [5])
    )
    assert [read.line(row) for row in range(6)] == [expected.line(row) for row in range(6)]
    assert [line.row for line in read.refused] == [1, 2, 4]
    # A time that is none is not carried along.
    assert read.refused == [
        line._replace(received_at=None) if line.row == 2 else line for line in expected.refused
    ]


def test_the_columns_are_those_that_spark_was_told() -> None:
    (batch, *_) = Parsing(DEFAULT_MAPPING)(contents([_object(1, event())], 1).to_batches())

    assert [text.split()[0] for text in parsed_columns().split(", ")] == batch.schema.names
    assert {str(field.type) for field in batch.schema} == {
        "string",
        "double",
        "int64",
        "timestamp[us, tz=UTC]",
    }


@pytest.mark.parametrize(("part_bytes", "parts"), [(1, 4), (10**9, 1)])
def test_objects_are_dealt_out_by_size_in_their_order(part_bytes: int, parts: int) -> None:
    objects = [_object(number, event(str(number))) for number in range(4)]

    table = contents(objects, part_bytes)

    assert len(table.to_batches()) == parts
    assert table["key"].to_pylist() == [item.key for item in objects]


def test_no_objects_are_no_rows() -> None:
    assert contents([], 1).num_rows == 0
    assert _parsed([_object(1, b"")])[BESIDE].null_count() == 0
