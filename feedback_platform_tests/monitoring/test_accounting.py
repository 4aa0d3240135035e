from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from feedback_platform.cleaning.configuration import default_rules
from feedback_platform.cleaning.processing import clean_new
from feedback_platform.cleaning.reprocessing import reprocess
from feedback_platform.lake.batches import latest_manifest
from feedback_platform.lake.raw import write_raw_object
from feedback_platform.lake.store import Lake
from feedback_platform.monitoring.accounting import Account, account

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path.as_uri())


def land(lake: Lake, name: str, *event_ids: str, hours: int = 0, broken: int = 0) -> None:
    """One raw object of good lines, and of lines that no rule of the contract lets pass."""
    lines = [
        f'{{"event_id":"{event}","event_type":"item_rated","user_id":"u","item_id":"i","value":4}}'
        for event in event_ids
    ]
    lines += ["{"] * broken
    write_raw_object(
        lake,
        received_at=NOON + timedelta(hours=hours),
        source="test",
        sortable_id=name,
        ndjson="\n".join(lines).encode(),
    )


def clean(lake: Lake) -> int:
    """Clean what has landed; returns the number of the newest batch."""
    clean_new(lake, default_rules(), is_sweep=True)
    latest = latest_manifest(lake)
    assert latest is not None
    return latest.sequence


def test_an_empty_lake_accounts_for_nothing(lake: Lake) -> None:
    assert account(lake, through=0) == Account(received=0, events=0, quarantined=0)


def test_lines_are_events_or_quarantined_or_duplicates(lake: Lake) -> None:
    land(lake, "a", "e1", "e2", "e2", broken=1)

    counted = account(lake, through=clean(lake))

    assert counted == Account(received=4, events=2, quarantined=1)
    assert counted.duplicates == 1


def test_an_event_that_two_batches_hold_counts_once(lake: Lake) -> None:
    land(lake, "a", "e1", "e2")
    clean(lake)
    land(lake, "b", "e2", "e3", hours=1)

    counted = account(lake, through=clean(lake))

    assert counted == Account(received=4, events=3, quarantined=0)
    assert counted.duplicates == 1


def test_batches_after_the_one_asked_for_do_not_count(lake: Lake) -> None:
    land(lake, "a", "e1")
    first = clean(lake)
    land(lake, "b", "e2", hours=1, broken=1)
    second = clean(lake)

    assert account(lake, through=first) == Account(received=1, events=1, quarantined=0)
    assert account(lake, through=second) == Account(received=3, events=2, quarantined=1)


def test_what_was_reprocessed_counts_as_it_did_before(lake: Lake) -> None:
    land(lake, "a", "e1", "e2", broken=2)
    land(lake, "b", "e3", hours=24)
    before = account(lake, through=clean(lake))

    outcome = reprocess(lake, default_rules(), first=date(2026, 1, 5), last=date(2026, 1, 5))

    after = account(lake, through=outcome.manifests[-1].sequence)
    assert after == before == Account(received=5, events=3, quarantined=2)
