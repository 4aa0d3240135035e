from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from feedback_platform.errors import LakeObjectMissingError
from feedback_platform.lake import keys
from feedback_platform.lake.batches import mark_erasure
from feedback_platform.lake.raw import write_raw_object
from feedback_platform.lake.store import Lake
from feedback_platform.monitoring.freshness import (
    FRESHNESS_SCHEMA,
    Position,
    Waiting,
    freshness,
    lake_positions,
    overdue,
    waiting,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PATIENCE = timedelta(minutes=15)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path.as_uri())


def land(lake: Lake, directory: Path, minute: int, name: str = "1") -> None:
    """A raw object of the hour from noon on that was written at a minute of it."""
    received_at = NOON + timedelta(minutes=minute)
    key = write_raw_object(
        lake, received_at=NOON, source="web", sortable_id=name, ndjson=b'{"event_id":"e"}\n'
    )
    os.utime(directory / key, (received_at.timestamp(),) * 2)


def test_a_layer_lags_by_how_much_older_its_newest_event_is_than_the_newest_received() -> None:
    later = NOON + timedelta(seconds=90)
    table = freshness(
        [
            Position("raw", later, later),
            Position("interaction", NOON, later),
            Position("ml", NOON - timedelta(hours=1), NOON),
            Position("other", None, None),
        ],
        later + timedelta(days=1),
    )

    assert table.schema == FRESHNESS_SCHEMA
    # A day without events is no lag.
    assert dict(table.select("layer", "lag_seconds").rows()) == {
        "raw": 0.0,
        "interaction": 90.0,
        "ml": 3690.0,
        "other": None,
    }


def test_without_any_event_no_layer_lags(lake: Lake) -> None:
    table = freshness(lake_positions(lake, 0, None), NOON)

    assert table["lag_seconds"].to_list() == [None, None]
    assert table["newest_event_at"].to_list() == [None, None]


def test_what_lies_raw_and_is_not_clean_is_newer_than_what_is_stored(
    lake: Lake, tmp_path: Path
) -> None:
    land(lake, tmp_path, 5)
    land(lake, tmp_path, 9, "2")

    raw, clean = lake_positions(lake, 0, NOON)

    written_at = NOON + timedelta(minutes=9)
    assert raw == Position("raw", written_at, written_at)
    assert clean == Position("clean", NOON, None)


def test_an_object_holds_nothing_of_later_than_its_hour(lake: Lake, tmp_path: Path) -> None:
    land(lake, tmp_path, 60 * 24 * 30)

    raw, _ = lake_positions(lake, 0, NOON)

    assert raw.newest_event_at == NOON + timedelta(hours=1)


def test_what_waits_is_counted_from_the_first_of_it_on(lake: Lake, tmp_path: Path) -> None:
    assert waiting(lake, 0) == Waiting(0, 0, None)
    land(lake, tmp_path, 9, "2")
    land(lake, tmp_path, 5, "1")

    found = waiting(lake, 0)

    assert found == Waiting(2, 0, NOON + timedelta(minutes=5))
    assert overdue(found, NOON + timedelta(minutes=20), PATIENCE) is None
    problem = overdue(found, NOON + timedelta(minutes=21), PATIENCE)
    assert problem is not None
    assert "2 raw objects are not clean and 0 batches not published" in problem
    assert "the first since 2026-03-02 12:05 UTC, 16 minutes ago" in problem


def test_a_batch_waits_until_it_is_published(lake: Lake, tmp_path: Path) -> None:
    sequence = mark_erasure(lake)
    os.utime(tmp_path / keys.batch_manifest(sequence), (NOON.timestamp(),) * 2)

    assert waiting(lake, 0) == Waiting(0, 1, NOON)
    assert waiting(lake, sequence) == Waiting(0, 0, None)


def test_nobody_knows_when_what_is_not_there_was_written(lake: Lake) -> None:
    with pytest.raises(LakeObjectMissingError):
        lake.written_at("raw/nothing")
