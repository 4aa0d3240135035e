from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from feedback_platform.cleaning.configuration import default_rules
from feedback_platform.cleaning.processing import clean_new
from feedback_platform.cleaning.quarantine import QuarantineFilter, list_quarantine
from feedback_platform.cleaning.reprocessing import reprocess
from feedback_platform.lake.raw import write_raw_object
from feedback_platform.lake.store import Lake
from feedback_platform_tests.cleaning.lines import HOUR, event, ndjson

EVERYTHING = QuarantineFilter()


def land(
    lake: Lake, *lines: dict[str, Any] | bytes, source: str = "web", hours: int = 0, id_: str = "1"
) -> str:
    return write_raw_object(
        lake,
        received_at=HOUR + timedelta(hours=hours),
        source=source,
        sortable_id=id_,
        ndjson=ndjson(*lines),
    )


def clean(lake: Lake) -> None:
    clean_new(lake, default_rules(), is_sweep=True)


@pytest.fixture
def filled(lake: Lake) -> Lake:
    """Three days; seven rows in quarantine."""
    land(lake, event("a"), b"bad", event(value="x"))
    land(lake, b"bad", hours=24)
    land(lake, event(event_type="item_hovered"), b"bad", source="app", hours=24)
    clean(lake)
    land(lake, event(user_id=None, received_at="2026-03-03T10:30:00Z"), hours=48)
    collected = (
        b'{"format":"event","received_at":"2026-03-03T10:20:00Z","source":"%s","message":{}}'
    )
    land(lake, collected % b"shop", source="collector-a1", hours=48)
    clean(lake)
    return lake


def test_an_empty_lake_has_nothing_in_quarantine(lake: Lake) -> None:
    listing = list_quarantine(lake, EVERYTHING)

    assert (listing.total, listing.rows.height, listing.counts.height) == (0, 0, 0)


def test_all_rows_are_listed_newest_first_and_counted_by_reason(filled: Lake) -> None:
    listing = list_quarantine(filled, EVERYTHING)

    assert listing.rows.select("reason", "field", "source", "raw_row").rows() == [
        ("missing_user", "user_id", "web", 0),
        ("missing_field", "event_type", "collector/shop", 0),
        ("malformed_json", None, "web", 0),
        ("malformed_json", None, "app", 1),
        ("unknown_event_type", "event_type", "app", 0),
        ("invalid_type", "value", "web", 2),
        ("malformed_json", None, "web", 1),
    ]
    assert listing.counts.rows() == [
        ("malformed_json", 3),
        ("invalid_type", 1),
        ("missing_field", 1),
        ("missing_user", 1),
        ("unknown_event_type", 1),
    ]


def test_each_row_has_its_own_bytes(filled: Lake) -> None:
    rows = list_quarantine(filled, EVERYTHING).rows

    for reason, raw in rows.select("reason", "raw").iter_rows():
        assert (raw == b"bad") == (reason == "malformed_json")


@pytest.mark.parametrize(
    ("chosen", "reasons"),
    [
        (QuarantineFilter(reason="invalid_type"), {"invalid_type": 1}),
        (QuarantineFilter(reason="nosuch"), {}),
        (QuarantineFilter(source="app"), {"malformed_json": 1, "unknown_event_type": 1}),
        (QuarantineFilter(source="collector"), {"missing_field": 1}),
        (QuarantineFilter(source="collector/shop"), {"missing_field": 1}),
        (QuarantineFilter(source="collector/sho"), {}),
        (QuarantineFilter(last=date(2026, 3, 1)), {"malformed_json": 1, "invalid_type": 1}),
        (QuarantineFilter(first=date(2026, 3, 3)), {"missing_field": 1, "missing_user": 1}),
        (
            QuarantineFilter(first=date(2026, 3, 2), last=date(2026, 3, 2), source="web"),
            {"malformed_json": 1},
        ),
    ],
)
def test_a_filter_leaves_out_the_rest(
    filled: Lake, chosen: QuarantineFilter, reasons: dict[str, int]
) -> None:
    listing = list_quarantine(filled, chosen)

    assert dict(listing.counts.iter_rows()) == reasons
    assert listing.rows.height == listing.total == sum(reasons.values())


@pytest.mark.parametrize("limit", [0, 1, 3, 100])
def test_a_limit_shows_the_newest_and_counts_all(filled: Lake, limit: int) -> None:
    everything = list_quarantine(filled, EVERYTHING)

    listing = list_quarantine(filled, EVERYTHING, limit=limit)

    assert listing.rows.equals(everything.rows.head(limit))
    assert listing.total == 7


def test_a_row_is_found_by_when_it_was_received_also_beside_the_day_of_its_object(
    lake: Lake,
) -> None:
    land(lake, event(user_id=None, received_at="2026-03-01T00:00:01Z"), hours=-11)
    clean(lake)

    on_the_first = QuarantineFilter(first=date(2026, 3, 1), last=date(2026, 3, 1))
    assert list_quarantine(lake, on_the_first).total == 1
    assert list_quarantine(lake, QuarantineFilter(last=date(2026, 2, 28))).total == 0


def test_what_was_replaced_shows_no_more(filled: Lake) -> None:
    reprocess(filled, default_rules(), first=date(2026, 3, 1), last=date(2026, 3, 2))

    assert list_quarantine(filled, EVERYTHING).total == 7


def test_what_no_batch_committed_does_not_show(filled: Lake) -> None:
    (first, *_) = filled.list_keys("quarantine/events")
    filled.put(first.replace("batch-", "batch-9"), filled.get(first), mode="create")

    assert list_quarantine(filled, EVERYTHING).total == 7
