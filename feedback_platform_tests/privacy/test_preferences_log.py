"""The log of changed preferences: found by who reads on, and gone with who is erased."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest

from feedback_platform.events.translation.mapping import DEFAULT_MAPPING
from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform.lake.tombstones import load_tombstones
from feedback_platform.privacy.erasing import erase_from_lake
from feedback_platform.privacy.layers import read_progress
from feedback_platform.privacy.others import looked_at_beside_others
from feedback_platform.privacy.preferences import PreferencesChange
from feedback_platform.privacy.preferences_log import OVERLAP, PreferencesEntry, PreferencesLog
from feedback_platform.privacy.proof import Scan
from feedback_platform.privacy.requests import file_request

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OFF = PreferencesChange(personalisation=False)
LEAVING = "person-1-who-leaves"


def entry(name: str, user_id: str = "ada", *, seconds: float = 0.0) -> PreferencesEntry:
    return PreferencesEntry(name, NOW + timedelta(seconds=seconds), user_id, OFF)


def write(lake: Lake, *entries: PreferencesEntry) -> None:
    for each in entries:
        PreferencesLog(lake).append(each)


def names(found: list[PreferencesEntry]) -> list[str]:
    return [each.event_id for each in found]


@pytest.mark.parametrize("user_id", ["ada", "anonymous:d-1", "jürgen/ö", "anonymous: "])
def test_an_entry_is_read_as_it_was_written(lake: Lake, user_id: str) -> None:
    change = PreferencesChange(research=True, signals={"click": False})
    written = PreferencesEntry("e-1", NOW, user_id, change)
    write(lake, written)

    assert PreferencesLog(lake).new_entries(NOW) == [written]
    assert user_id not in repr(written)


def test_a_reader_goes_on_where_it_was(lake: Lake) -> None:
    log = PreferencesLog(lake)
    write(lake, entry("b", seconds=2), entry("a", seconds=1))

    assert names(log.new_entries(NOW)) == ["a", "b"]
    assert log.new_entries(NOW) == []
    write(lake, entry("c", seconds=3))
    assert names(log.new_entries(NOW)) == ["c"]


def test_an_entry_that_comes_late_or_from_a_slow_clock_is_found(lake: Lake) -> None:
    log = PreferencesLog(lake)
    write(lake, entry("a"))
    assert names(log.new_entries(NOW)) == ["a"]

    write(lake, entry("late", seconds=-OVERLAP.total_seconds() / 2))

    assert names(log.new_entries(NOW)) == ["late"]


def test_an_entry_of_a_clock_that_is_ahead_hides_no_other(lake: Lake) -> None:
    log = PreferencesLog(lake)
    write(lake, entry("ahead", seconds=7200))
    assert names(log.new_entries(NOW)) == ["ahead"]

    write(lake, entry("on-time", seconds=1))

    assert names(log.new_entries(NOW)) == ["on-time"]


def test_a_damaged_entry_is_told_of_and_holds_up_no_other(
    lake: Lake, caplog: pytest.LogCaptureFixture
) -> None:
    for number, data in enumerate((b"{", b"[]", b"{}", b'{"user_id": "ada"}')):
        lake.put(f"{entry(f'torn-{number}').key}", data, mode="create")
    write(lake, entry("whole"))

    with caplog.at_level(logging.WARNING):
        found = PreferencesLog(lake).new_entries(NOW)

    assert names(found) == ["whole"]
    assert len(caplog.records) == 4


def test_what_tables_have_is_dropped_after_a_while(lake: Lake) -> None:
    log = PreferencesLog(lake)
    old, needed, young = entry("old"), entry("needed"), entry("young", seconds=60)
    write(lake, old, needed, young)
    log.new_entries(NOW)

    log.drop(before=NOW + timedelta(seconds=30), but=[needed.key])

    assert lake.list_keys(keys.PREFERENCES) == sorted([needed.key, young.key])
    assert log.erased() == frozenset()


def test_an_erasure_takes_what_they_said_before_and_nothing_else(lake: Lake) -> None:
    log = PreferencesLog(lake)
    theirs = [entry("a", LEAVING), entry("b", "anonymous:phone-1-of-who-leaves")]
    stays = [entry("c", "person-2-who-stays"), entry("d", LEAVING, seconds=60)]
    write(lake, *theirs, *stays)
    log.new_entries(NOW)
    request = file_request(
        lake,
        [LEAVING, "anonymous:phone-1-of-who-leaves"],
        now=NOW + timedelta(seconds=30),
    )

    erase_from_lake(lake, DEFAULT_MAPPING)

    assert log.erased() == {each.key for each in theirs}
    assert lake.list_keys(keys.PREFERENCES) == sorted(each.key for each in stays)
    (done,) = [each for each in read_progress(lake) if each.layer == "preferences"]
    assert (done.looked_at, done.removed) == (4, 2)
    # Who came back has said something before any of it was clean.
    others = looked_at_beside_others(
        lake, {each.id for each in request.identities}, load_tombstones(lake)
    )
    assert others.shared == {LEAVING}
    assert others.rows_left == {}


@pytest.mark.parametrize("user_id", [LEAVING, "42", "anonymous:42"])
def test_the_proof_looks_into_the_log(lake: Lake, user_id: str) -> None:
    file_request(lake, [user_id], now=NOW)
    erase_from_lake(lake, DEFAULT_MAPPING)
    returned = entry("back-again", user_id, seconds=-1)
    write(lake, returned)

    erased = user_id.removeprefix("anonymous:")
    others = looked_at_beside_others(lake, {erased}, load_tombstones(lake))
    assert others.rows_left == {returned.key: 1}
    scan = Scan(others)
    scan.places.clear()
    scan.lake(lake, unswept=[])
    assert scan.places == {f"lake: {returned.key}": 1}
