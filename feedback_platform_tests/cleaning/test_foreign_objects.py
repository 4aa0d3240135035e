"""What lies in the lake and is not what a writer writes holds nobody up."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
import zstandard

from feedback_platform.cleaning.configuration import default_rules
from feedback_platform.cleaning.processing import CleaningOutcome, clean_new
from feedback_platform.lake import batches, keys
from feedback_platform.lake.raw import announce_backfill, list_raw_objects, write_raw_object
from feedback_platform.lake.store import Lake
from feedback_platform_tests.cleaning.busy_lake import COMMITTING, READING, BusyLake

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LINE = b'{"event_id":"%s","event_type":"item_viewed","user_id":"u","item_id":"i"}\n'


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake((tmp_path / "lake").as_uri())


def land(lake: Lake, name: str, at: datetime = NOON) -> str:
    line = LINE % name.encode()
    return write_raw_object(lake, received_at=at, source="web", sortable_id=name, ndjson=line)


def clean(lake: Lake) -> CleaningOutcome:
    return clean_new(lake, default_rules(), is_sweep=False)


def quarantined(lake: Lake) -> pl.DataFrame:
    written = [lake.get(key) for key in lake.list_keys(keys.QUARANTINE)]
    return pl.concat([pl.read_parquet(io.BytesIO(content)) for content in written])


@pytest.mark.parametrize(
    "content",
    [b"", b"not zstd at all", zstandard.compress(LINE % b"cut" * 1000)[:60]],
    ids=["empty", "foreign", "cut short"],
)
def test_an_unreadable_object_is_one_rejected_line_and_its_neighbours_are_clean(
    lake: Lake, content: bytes
) -> None:
    land(lake, "a")
    bad = keys.raw_object(NOON, "web", "b")
    lake.put(bad, content, mode="create")
    land(lake, "c")

    outcome = clean(lake)

    assert (outcome.rows, outcome.clean, outcome.quarantined) == (3, 2, 1)
    (row,) = quarantined(lake).rows(named=True)
    assert (row["reason"], row["raw_object"], row["raw"]) == ("unreadable_object", bad, content)
    assert clean(lake).objects == 0


def test_a_frame_without_its_size_is_read(lake: Lake) -> None:
    compressor = zstandard.ZstdCompressor().compressobj()
    content = compressor.compress(LINE % b"a") + compressor.flush()
    lake.put(keys.raw_object(NOON, "web", "a"), content, mode="create")

    assert clean(lake).clean == 1


@pytest.mark.parametrize("name", ["_SUCCESS", "dt=2026-03-02/_SUCCESS", "dt=2026-03-02/hr=12/x"])
def test_what_is_no_raw_object_is_not_listed(lake: Lake, name: str) -> None:
    land(lake, "a")
    lake.put(f"{keys.RAW}/{name}", b"", mode="create")

    assert [key.rpartition("/")[2] for key in list_raw_objects(lake)] == ["web-a.ndjson.zst"]
    assert clean(lake).clean == 1


@pytest.mark.parametrize("moment", [READING, COMMITTING])
def test_of_two_cleaners_that_race_one_wins_and_neither_harms_the_other(
    lake: Lake, moment: tuple[str, str]
) -> None:
    land(lake, "a")
    clean(lake)
    land(lake, "b")
    files: dict[str, bytes] = {}

    def others_clean() -> None:
        clean(lake)
        files.update({key: lake.get(key) for key in lake.list_keys("clean")})

    with pytest.raises(batches.BatchConflictError):
        clean(BusyLake(lake.url, moment, others_clean))

    assert {key: lake.get(key) for key in files} == files
    cleaned = [key for manifest in batches.manifests_after(lake, 0) for key in manifest.raw_objects]
    assert cleaned == list_raw_objects(lake)


def test_an_announced_backfill_is_found_however_far_behind_it_lies(lake: Lake) -> None:
    land(lake, "new")
    clean(lake)
    land(lake, "old", NOON - timedelta(days=30))
    assert batches.pending_objects(lake) == []

    announce_backfill(lake, "test")

    assert len(batches.pending_objects(lake)) == 1
    assert clean(lake).clean == 1
    assert lake.list_keys(keys.BACKFILLS) == []


def test_a_writer_whose_clock_is_ahead_blinds_nobody_to_the_others(lake: Lake) -> None:
    now = datetime.now(UTC)
    land(lake, "ahead", now + timedelta(days=400))
    clean(lake)

    land(lake, "punctual", now)

    assert clean(lake).clean == 1
    assert clean(lake).objects == 0
