"""The lake without some users, wherever an attempt was cut short."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Literal

import polars as pl
import pytest

from feedback_platform.cleaning.configuration import default_rules
from feedback_platform.cleaning.processing import clean_new
from feedback_platform.cleaning.quarantine import QuarantineFilter, list_quarantine
from feedback_platform.errors import LakeUnavailableError
from feedback_platform.events.translation.mapping import DEFAULT_MAPPING
from feedback_platform.lake import keys
from feedback_platform.lake.batches import manifests_after
from feedback_platform.lake.raw import read_raw_object, write_raw_object
from feedback_platform.lake.store import Lake
from feedback_platform.lake.tombstones import erased_requests, erased_through
from feedback_platform.monitoring.accounting import Account, account
from feedback_platform.privacy.erasing import erase_from_lake, sweep_late_arrivals
from feedback_platform.privacy.layers import read_progress
from feedback_platform.privacy.others import Others
from feedback_platform.privacy.proof import Scan
from feedback_platform.privacy.requests import close_request, file_request, pending_requests
from feedback_platform.privacy.traces import Traces
from feedback_platform_tests.privacy.people import (
    HANDED_OVER,
    LEAVING,
    OWN_PHONE,
    RECEIVED,
    event,
    land,
)

NOW = RECEIVED.replace(day=20)
# Beside ids of theirs that others use as well.
THEIRS = (LEAVING, OWN_PHONE, HANDED_OVER)


class FailingLake(Lake):
    """The real lake, until the n-th change of it fails, before or after it was made."""

    def __init__(self, url: str, *, nth: int, is_made: bool) -> None:
        super().__init__(url)
        self._left = nth
        self._is_made = is_made

    @property
    def has_failed(self) -> bool:
        return self._left <= 0

    def put(self, key: str, data: bytes, *, mode: Literal["create", "overwrite"]) -> None:
        self._left -= 1
        if self._left == 0:
            if self._is_made:
                super().put(key, data, mode=mode)
            raise LakeUnavailableError(f"{key} failed")
        super().put(key, data, mode=mode)


@pytest.fixture
def asked(lake: Lake) -> Lake:
    """A lake that is clean, and of which somebody has asked to be erased."""
    land(lake)
    clean_new(lake, default_rules(), is_sweep=True)
    land(lake, name="later")
    clean_new(lake, default_rules(), is_sweep=True)
    file_request(lake, [LEAVING], now=NOW)
    return lake


def test_what_was_made_of_their_lines_goes_and_the_account_still_balances(asked: Lake) -> None:
    before = account(asked, through=9)

    outcome = erase_from_lake(asked, DEFAULT_MAPPING)

    assert outcome is not None
    assert (outcome.through, erased_through(asked)) == (3, 3)
    assert erased_requests(asked) == {outcome.requests[0].request_id}
    after = account(asked, through=9)
    assert after.received == before.received
    assert after.received == after.events + after.quarantined + after.duplicates + after.erased
    assert not _trace(asked)
    for manifest in manifests_after(asked, 0):
        held = manifest.clean + manifest.quarantined + manifest.duplicates + manifest.erased
        assert held == manifest.rows
    removed = {layer.layer: layer.removed for layer in read_progress(asked)}
    # Of each landing 13 lines of theirs, in two objects; in each of them one event comes twice.
    assert removed["raw"] == 52
    assert (removed["clean"] or 0) + (removed["quarantine"] or 0) == 48


def test_a_device_goes_with_what_names_it_as_a_user(lake: Lake) -> None:
    """As a page does that sends the id by which it asks for recommendations."""
    named = "anonymous:phone-77"
    lines = [
        event("1", 1, event_type="item_liked", user_id=named, anonymous_id="phone-77", value=None),
        event("2", 2, event_type="item_liked", user_id=named, value=None),
        event("3", 3, event_type="item_liked", anonymous_id="phone-77", value=None),
        event("4", 4, event_type="item_liked", user_id="anonymous:phone-7", value=None),
    ]
    ndjson = b"\n".join(json.dumps(line).encode() for line in lines)
    write_raw_object(lake, received_at=RECEIVED, source="web", sortable_id="1", ndjson=ndjson)
    clean_new(lake, default_rules(), is_sweep=True)
    file_request(lake, [named], now=NOW)

    erase_from_lake(lake, DEFAULT_MAPPING)

    assert _clean(lake)["event_id"].to_list() == ["4"]
    scan = Scan(Others(frozenset(), Traces(["phone-77"])))
    scan.lake(lake, unswept=())
    assert scan.places == {}


def test_rows_of_others_stay_as_they_are(asked: Lake, tmp_path: Path) -> None:
    never = Lake((tmp_path / "never").as_uri())
    for key in asked.list_keys(keys.REFERENCE):
        never.put(key, asked.get(key), mode="create")
    for name in ("people", "later"):
        land(never, name=name, with_who_leaves=False)
        clean_new(never, default_rules(), is_sweep=True)

    erase_from_lake(asked, DEFAULT_MAPPING)

    assert _clean(asked).equals(_clean(never))
    everything = QuarantineFilter()
    assert list_quarantine(asked, everything).rows.equals(list_quarantine(never, everything).rows)


@pytest.mark.parametrize(
    "is_made",
    [
        pytest.param(False, id="lost"),
        pytest.param(True, id="made, and not answered", marks=pytest.mark.slow),
    ],
)
def test_an_erasure_that_was_cut_short_anywhere_is_finished_by_the_next(
    asked: Lake, tmp_path: Path, *, is_made: bool
) -> None:
    assert asked.directory is not None
    nth, has_failed = 0, True
    expected: Account | None = None
    while has_failed:
        nth += 1
        directory = tmp_path / f"cut-{nth}"
        shutil.copytree(asked.directory, directory)
        failing = FailingLake(directory.as_uri(), nth=nth, is_made=is_made)
        try:
            erase_from_lake(failing, DEFAULT_MAPPING)
        except LakeUnavailableError:
            assert len(pending_requests(failing)) == 1
        has_failed = failing.has_failed
        again = Lake(directory.as_uri())
        erase_from_lake(again, DEFAULT_MAPPING)

        assert not _trace(again), nth
        found = account(again, through=99)
        expected = expected or found
        assert found == expected, nth
        (request,) = pending_requests(again)
        assert set(request.devices) >= {OWN_PHONE, HANDED_OVER}, nth
        shutil.rmtree(directory)
    assert nth > 15


def test_without_a_request_nothing_happens(lake: Lake) -> None:
    assert erase_from_lake(lake, DEFAULT_MAPPING) is None
    assert sweep_late_arrivals(lake, DEFAULT_MAPPING).looked_at == 0
    assert lake.list_keys("privacy") == []


def test_what_they_send_late_is_swept_out_of_raw_and_looked_for_once(asked: Lake) -> None:
    erase_from_lake(asked, DEFAULT_MAPPING)
    land(asked, name="late")
    clean_new(asked, default_rules(), is_sweep=True)
    assert any("late" in place for place in _trace(asked))

    swept = sweep_late_arrivals(asked, DEFAULT_MAPPING)

    assert (swept.looked_at, swept.rewritten) == (2, 2)
    assert not _trace(asked)
    assert sweep_late_arrivals(asked, DEFAULT_MAPPING).looked_at == 0


def test_a_request_that_is_filed_meanwhile_waits(asked: Lake) -> None:
    before = pending_requests(asked)
    file_request(asked, ["person-2-who-stays"], now=NOW)

    outcome = erase_from_lake(asked, DEFAULT_MAPPING, requests=before)

    assert outcome is not None
    assert erased_requests(asked) == {request.request_id for request in before}
    assert any("person-2-who-stays" in str(row) for row in _clean(asked).rows())


class CleaningLake(Lake):
    """A lake in which the clean layer was listed when what had landed is cleaned."""

    has_cleaned = False

    def put(self, key: str, data: bytes, *, mode: Literal["create", "overwrite"]) -> None:
        if key.startswith(keys.QUARANTINE) and not self.has_cleaned:
            self.has_cleaned = True
            clean_new(Lake(self.url), default_rules(), is_sweep=True)
        super().put(key, data, mode=mode)


def test_batches_that_come_meanwhile_keep_their_counts(asked: Lake) -> None:
    late = [event(f"late{n}", n, user_id=user) for n, user in enumerate(["bob", "eve", LEAVING])]
    ndjson = b"\n".join(json.dumps(one).encode() for one in late)
    write_raw_object(
        asked, received_at=RECEIVED, source="web", sortable_id="meanwhile", ndjson=ndjson
    )

    erase_from_lake(CleaningLake(asked.url), DEFAULT_MAPPING)

    (_, _, _, newest) = manifests_after(asked, 0)
    assert (newest.clean, newest.erased) == (2, 1)


def _trace(lake: Lake) -> list[str]:
    """The objects in which their ids stand, as plain bytes."""
    found = []
    for key in [*lake.list_keys("raw"), *lake.list_keys("clean"), *lake.list_keys("quarantine")]:
        if keys.is_raw_object(key):
            text = read_raw_object(lake, key).decode()
        elif key.endswith(".parquet"):
            text = str(pl.read_parquet(lake.get(key)).to_dicts())
        else:
            text = lake.get(key).decode()
        if any(name in text for name in THEIRS):
            found.append(key)
    return found


def _clean(lake: Lake) -> pl.DataFrame:
    files = [key for manifest in manifests_after(lake, 0) for key in manifest.clean_objects]
    return pl.concat([pl.read_parquet(lake.get(key)) for key in files]).sort(pl.all())


def test_a_remote_lake_loses_them_and_is_looked_at_whole(s3_lake_url: str) -> None:
    remote = Lake(s3_lake_url)
    land(remote)
    clean_new(remote, default_rules(), is_sweep=True)
    request = file_request(remote, [LEAVING], now=NOW)
    assert _found_in(remote)

    erase_from_lake(remote, DEFAULT_MAPPING)

    close_request(remote, request.request_id)
    assert not _trace(remote)
    assert _found_in(remote) == {}


def _found_in(lake: Lake) -> dict[str, int]:
    scan = Scan(Others(frozenset(), Traces(THEIRS)))
    scan.lake(lake, unswept=[])
    return scan.places
