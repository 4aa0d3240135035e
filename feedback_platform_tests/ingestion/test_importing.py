from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest

from feedback_platform.cleaning.reading import parse_raw_object
from feedback_platform.errors import InvalidInputError, LakeUnavailableError
from feedback_platform.ingestion import importing
from feedback_platform.ingestion.imported import ImportedEvents
from feedback_platform.ingestion.importing import import_events
from feedback_platform.ingestion.movielens import read_movielens
from feedback_platform.ingestion.open_bandit import read_open_bandit
from feedback_platform.lake import keys
from feedback_platform.lake.raw import list_raw_objects, read_raw_object
from feedback_platform.lake.store import Lake
from feedback_platform_tests.ingestion.lines import events_of, stored_events

NOW = datetime(2026, 3, 1, 10, 30, 0, 250_000, tzinfo=UTC)
LATER = NOW + timedelta(days=2)


class FailingLake(Lake):
    """A lake whose Nth write fails, before anything or after everything of it is stored."""

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


@pytest.fixture
def two_events_an_object(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "MAX_EVENTS_PER_OBJECT", 2)


def test_an_import_stores_every_event_as_received_now(lake: Lake, movielens_files: Path) -> None:
    imported = read_movielens(movielens_files)

    summary = import_events(lake, imported, now=NOW)

    assert (summary.name, summary.fingerprint) == ("movielens", imported.fingerprint)
    assert (summary.objects, summary.events, summary.was_imported_already) == (1, 8, False)
    assert summary.counts == {"item_rated": 2, "item_used": 3, "item_updated": 3}
    received = {"received_at": "2026-03-01T10:30:00.250000Z"}
    assert stored_events(lake) == [received | event for event in events_of(imported)]
    (key,) = list_raw_objects(lake)
    assert key.startswith("raw/events/dt=2026-03-01/hr=10/import-movielens-20260301103000250000")


def test_objects_hold_no_more_than_can_be_read(
    lake: Lake, movielens_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported = read_movielens(movielens_files)
    opening = len('{"received_at":"2026-03-01T10:30:00.250000Z",')
    longest = opening + max(len(line.encode()) for line in imported.lines)
    monkeypatch.setattr("feedback_platform.lake.raw.MAX_OBJECT_BYTES", longest)

    summary = import_events(lake, imported, now=NOW)

    objects = [read_raw_object(lake, key) for key in list_raw_objects(lake)]
    assert summary.objects == len(objects) > len(imported.lines) // 2
    assert len(stored_events(lake)) == summary.events == len(imported.lines)


def test_an_event_that_fits_into_no_object_is_refused(
    lake: Lake, movielens_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("feedback_platform.lake.raw.MAX_OBJECT_BYTES", 100)

    with pytest.raises(InvalidInputError, match="no more than 100 can be read"):
        import_events(lake, read_movielens(movielens_files), now=NOW)


@pytest.mark.usefixtures("two_events_an_object")
def test_objects_hold_a_bounded_number_of_events(lake: Lake, movielens_files: Path) -> None:
    seen: list[tuple[int, int]] = []
    summary = import_events(
        lake,
        read_movielens(movielens_files),
        now=NOW,
        progress=lambda done, total: seen.append((done, total)),
    )

    sizes = [read_raw_object(lake, key).count(b"\n") for key in list_raw_objects(lake)]
    assert sizes == [2, 2, 2, 2]
    assert summary.objects == 4
    assert seen == [(2, 8), (4, 8), (6, 8), (8, 8)]


def test_a_repeated_import_adds_nothing(lake: Lake, movielens_files: Path) -> None:
    imported = read_movielens(movielens_files)
    first = import_events(lake, imported, now=NOW)
    objects = list_raw_objects(lake)

    again = import_events(lake, imported, now=LATER)

    assert again.was_imported_already
    assert (again.events, again.received_at) == (first.events, NOW)
    assert list_raw_objects(lake) == objects


@pytest.mark.usefixtures("two_events_an_object")
@pytest.mark.parametrize("is_stored", [False, True])
@pytest.mark.parametrize("fails_at", range(1, 8))
def test_a_rerun_after_a_crash_at_any_write_counts_every_event_once(
    tmp_path: Path, movielens_files: Path, fails_at: int, *, is_stored: bool
) -> None:
    imported = read_movielens(movielens_files)
    broken = FailingLake((tmp_path / "lake").as_uri(), fails_at, is_stored=is_stored)
    lake = Lake(broken.url)

    with pytest.raises(LakeUnavailableError):
        import_events(broken, imported, now=NOW)
    # Seven writes: the manifest, four objects, the announcement, the manifest again.
    assert broken.writes == fails_at
    summary = import_events(lake, imported, now=LATER)

    assert len(list_raw_objects(lake)) == 4
    stored = [event["event_id"] for event in stored_events(lake)]
    assert sorted(stored) == sorted(event["event_id"] for event in events_of(imported))
    is_first_attempt_known = fails_at > 1 or is_stored
    assert summary.received_at == (NOW if is_first_attempt_known else LATER)
    assert summary.was_imported_already == (fails_at == 7 and is_stored)
    manifest = json.loads(lake.get(keys.import_manifest("movielens", imported.fingerprint)))
    assert (manifest["status"], manifest["events"]) == ("complete", 8)


def test_a_clock_without_utc_is_refused(lake: Lake, movielens_files: Path) -> None:
    with pytest.raises(InvalidInputError, match="not in UTC"):
        import_events(lake, read_movielens(movielens_files), now=NOW.replace(tzinfo=None))
    assert lake.list_keys("raw") == []


@pytest.mark.parametrize(
    ("read", "directory"),
    [(read_movielens, "ml-latest-small"), (read_open_bandit, "open-bandit-small")],
)
def test_cleaning_reads_every_line_that_an_import_wrote(
    lake: Lake, shared_data: Path, read: Callable[..., ImportedEvents], directory: str
) -> None:
    summary = import_events(lake, read(shared_data / directory), now=NOW)

    parsed = [parse_raw_object(k, read_raw_object(lake, k)) for k in list_raw_objects(lake)]

    assert sum(raw.events.height for raw in parsed) == summary.events
    for raw in parsed:
        assert raw.unreadable_rows == []
        assert raw.events["malformed_field"].null_count() == raw.events.height
        assert raw.events["received_at"].unique().to_list() == [NOW]
        assert raw.events["occurred_at"].null_count() == 0
        assert raw.events["sent_at"].null_count() == raw.events.height
