"""Of erased users nothing is cleaned, whatever way it comes; of others everything."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from feedback_platform.cleaning.configuration import default_rules
from feedback_platform.cleaning.engines.polars import clean_objects
from feedback_platform.cleaning.engines.port import CleanedObjects
from feedback_platform.cleaning.engines.spark_parsing import BESIDE, Parsing, contents
from feedback_platform.cleaning.erased_events import names_erased
from feedback_platform.cleaning.erased_lines import erased_line
from feedback_platform.cleaning.fetching import FetchedObject
from feedback_platform.cleaning.processing import clean_new
from feedback_platform.cleaning.reading import parse_raw_object
from feedback_platform.cleaning.reprocessing import reprocess
from feedback_platform.events.translation.mapping import DEFAULT_MAPPING
from feedback_platform.lake import keys
from feedback_platform.lake.batches import ErasedMeanwhileError, latest_manifest, mark_erasure
from feedback_platform.lake.raw import write_raw_object
from feedback_platform.lake.store import Lake
from feedback_platform.lake.tombstones import (
    Identity,
    IdentityKind,
    Tombstones,
    add_tombstones,
    load_tombstones,
)
from feedback_platform.monitoring.accounting import account
from feedback_platform_tests.cleaning.busy_lake import READING, BusyLake
from feedback_platform_tests.cleaning.lines import HOUR, KEY, REFERENCE, event, ndjson

RULES = default_rules()
INSTANT = HOUR + timedelta(minutes=30)
BEFORE = "2026-03-01T10:20:00Z"
AFTER = "2026-03-01T10:40:00Z"


@pytest.fixture
def tombstones(tmp_path: Path) -> Tombstones:
    """Ada was erased, and the phone that was hers."""
    lake = Lake((tmp_path / "erased").as_uri())
    erase(lake)
    return load_tombstones(lake)


def erase(lake: Lake, instant: datetime = INSTANT) -> None:
    who = [Identity(IdentityKind.USER, "ada"), Identity(IdentityKind.DEVICE, "phone")]
    add_tombstones(lake, "r1", who, instant)


def cleaned(tombstones: Tombstones, *lines: dict[str, Any] | bytes) -> CleanedObjects:
    item = parse_raw_object(KEY, ndjson(*lines))
    outcome = clean_objects([item], RULES, REFERENCE, tombstones)
    assert outcome.rows == (
        outcome.clean.height + outcome.quarantined.height + outcome.duplicates + outcome.erased
    )
    return outcome


def by(event_id: str, at: str = BEFORE, **fields: Any) -> dict[str, Any]:
    return event(event_id, occurred_at=at, received_at="2026-03-01T10:50:00Z", **fields)


def test_an_event_from_before_the_erasure_goes_nowhere_and_is_counted(
    tombstones: Tombstones,
) -> None:
    outcome = cleaned(tombstones, by("1", user_id="ada"), by("2", user_id="bob"))

    assert outcome.clean["event_id"].to_list() == ["2"]
    assert outcome.quarantined.is_empty()
    assert outcome.object_erased == [1]


def test_an_event_from_after_the_erasure_is_a_new_relationship(tombstones: Tombstones) -> None:
    outcome = cleaned(tombstones, by("1", AFTER, user_id="ada"))

    assert outcome.clean["event_id"].to_list() == ["1"]


def test_the_clock_of_the_platform_decides(tombstones: Tombstones) -> None:
    # Sent half an hour after it happened, received at 10:50: so it happened at 10:20.
    slow = by("1", "2026-03-01T11:00:00Z", sent_at="2026-03-01T11:30:00Z", user_id="ada")
    # By a clock that is ahead it happens after the erasure; but it was received before.
    ahead = event(
        "2", user_id="ada", occurred_at="2026-03-01T11:00:00Z", received_at="2026-03-01T10:25:00Z"
    )

    assert cleaned(tombstones, slow, ahead).erased == 2


def test_on_an_erased_device_only_what_names_nobody_goes(tombstones: Tombstones) -> None:
    outcome = cleaned(
        tombstones,
        by("1", user_id=None, anonymous_id="phone"),
        by("2", user_id="bob", anonymous_id="phone"),
    )

    assert outcome.clean["event_id"].to_list() == ["2"]


def test_an_alias_that_names_an_erased_user_goes_with_them(tombstones: Tombstones) -> None:
    alias = by("1", event_type="user_aliased", user_id="bob", properties={"previous_id": "ada"})
    other = by("2", event_type="user_aliased", user_id="bob", properties={"previous_id": "eve"})

    assert cleaned(tombstones, alias, other).clean["event_id"].to_list() == ["2"]


def test_a_refused_event_of_theirs_leaves_no_bytes_in_quarantine(tombstones: Tombstones) -> None:
    outcome = cleaned(
        tombstones,
        by("1", event_type="item_rated", value=99, user_id="ada"),
        by("2", event_type="item_rated", value=99, user_id="bob"),
        received("Never Mapped", userId="ada"),
        received("Never Mapped", userId="bob"),
        received("Never Mapped", anonymousId="phone"),
        b'{"event_id":"7","user_id":"ada",',
        b'{"event_id":"8","user_id":"bob",',
        opaque(b"\x0a\x03ada\x12\x01x"),
    )

    assert outcome.quarantined["raw_row"].to_list() == [1, 3, 6]
    assert outcome.erased == 5
    assert not any(b"ada" in raw for raw in outcome.quarantined["raw"])


def test_a_refused_event_is_of_whom_its_message_names_and_not_of_whom_that_one_speaks(
    tombstones: Tombstones,
) -> None:
    of_ada = {"userId": "ada", "user_id": "ada", "previous_id": "ada"}
    outcome = cleaned(
        tombstones,
        by("1", event_type="item_rated", value=99, user_id="bob", properties=of_ada),
        received("Never Mapped", userId="bob", properties=of_ada),
        received("Never Mapped", anonymousId="laptop", context={"traits": of_ada}),
        received("Never Mapped", properties=of_ada),
    )

    assert outcome.quarantined["raw_row"].to_list() == [0, 1, 2]


def test_the_bytes_of_an_alias_that_names_an_erased_user_go_with_them(
    tombstones: Tombstones,
) -> None:
    alias = by("1", event_type="user_aliased", user_id="bob", properties={"previous_id": "ada"})

    assert names_erased(json.dumps(alias).encode(), HOUR, tombstones)
    alias["event_type"] = "item_viewed"
    assert not names_erased(json.dumps(alias).encode(), HOUR, tombstones)


def test_duplicates_of_an_erased_event_are_all_erased(tombstones: Tombstones) -> None:
    outcome = cleaned(tombstones, by("1", user_id="ada"), by("1", user_id="ada"))

    assert (outcome.erased, outcome.duplicates) == (2, 0)


def test_an_erased_line_keeps_its_place_and_its_count(tombstones: Tombstones) -> None:
    outcome = cleaned(tombstones, erased_line(3), by("1", user_id="bob"), received("X"))

    assert outcome.clean["raw_row"].to_list() == [1]
    assert outcome.quarantined["raw_row"].to_list() == [2]
    assert outcome.object_erased == [3]
    assert outcome.rows == 5


def test_in_a_file_of_firehose_erased_lines_keep_their_places() -> None:
    key = f"{keys.FIREHOSE}/2026/03/01/10/stream-1"
    lines: list[dict[str, Any] | bytes] = [by("1"), b'{"broken', by("2"), by("3"), b"[1,", by("4")]
    whole = parse_raw_object(key, ndjson(*lines))
    for row in range(len(lines)):
        rest = [*lines[:row], erased_line(1), *lines[row + 1 :]]
        spared = parse_raw_object(key, ndjson(*rest))

        assert spared.lines == whole.lines == 6
        assert spared.texts.equals(whole.texts.filter(pl.col("raw_row") != row))
        assert spared.unreadable_rows == [r for r in whole.unreadable_rows if r != row]


def test_sparks_workers_leave_out_the_same(tombstones: Tombstones) -> None:
    lines: list[dict[str, Any] | bytes] = [
        by("1", user_id="ada"),
        by("2", user_id="bob"),
        received("Never Mapped", userId="ada"),
        erased_line(2),
    ]
    held = contents([FetchedObject(KEY, ndjson(*lines))], 1)

    batches = Parsing(DEFAULT_MAPPING, tombstones)(held.to_batches())

    rows = [row for batch in batches for row in batch.to_pylist()]
    assert [row["event_id"] for row in rows if row[BESIDE] is None] == ["2"]
    (beside,) = [json.loads(row[BESIDE]) for row in rows if row[BESIDE] is not None]
    assert (beside["lines"], beside["erased"], beside["refused"]) == (5, 4, [])


def test_neither_a_late_arrival_nor_reprocessing_brings_anybody_back(lake: Lake) -> None:
    land(lake, "a", by("1", user_id="ada"), by("2", user_id="bob"))
    erase(lake)
    clean_new(lake, RULES, is_sweep=False)
    reprocess(lake, RULES, first=HOUR.date(), last=HOUR.date())

    latest = latest_manifest(lake)

    assert latest is not None
    assert (latest.sequence, latest.rows, latest.clean, latest.erased) == (2, 2, 1, 1)
    found = account(lake, through=2)
    assert (found.received, found.events, found.erased, found.duplicates) == (2, 1, 1, 0)


def test_a_cleaner_that_read_before_an_erasure_commits_nothing_after_it(lake: Lake) -> None:
    land(lake, "a", by("1", user_id="ada"))

    def erased_now() -> None:
        erase(lake)
        mark_erasure(lake)

    busy = BusyLake(lake.url, READING, erased_now)

    with pytest.raises(ErasedMeanwhileError):
        clean_new(busy, RULES, is_sweep=False)

    assert clean_new(lake, RULES, is_sweep=False).erased == 1


def land(lake: Lake, name: str, *lines: dict[str, Any] | bytes) -> str:
    return write_raw_object(
        lake, received_at=HOUR, source="web", sortable_id=name, ndjson=ndjson(*lines)
    )


def received(name: str, **fields: Any) -> bytes:
    message = {"type": "track", "event": name, "messageId": "m", **fields}
    line = {"format": "segment", "received_at": BEFORE, "message": message}
    return json.dumps(line, separators=(",", ":")).encode()


def opaque(content: bytes) -> bytes:
    line = {
        "format": "opaque",
        "received_at": BEFORE,
        "refusal": {"reason": "undecodable_message", "field": None},
        "bytes": base64.b64encode(content).decode(),
    }
    return json.dumps(line, separators=(",", ":")).encode()
