"""A whole platform, small, without some users: the tables of one in which they never were."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from feedback_platform.cli.erasure import printed
from feedback_platform.events.translation.mapping import DEFAULT_MAPPING
from feedback_platform.lake import keys
from feedback_platform.lake.tombstones import erased_requests, erased_through
from feedback_platform.privacy.erasing import erase_from_lake
from feedback_platform.privacy.preferences import PreferencesChange
from feedback_platform.privacy.preferences_log import PreferencesEntry, PreferencesLog
from feedback_platform.privacy.proof import TracesLeftError
from feedback_platform.privacy.proving import prove_erasures
from feedback_platform.privacy.reports import ErasureReport, read_report
from feedback_platform.privacy.requests import (
    StuckRequests,
    file_request,
    pending_requests,
    record_stuck,
    stuck_requests,
)
from feedback_platform.settings import Settings
from feedback_platform.warehouse.erased import NotBuiltAnewError
from feedback_platform.warehouse.published import query
from feedback_platform.warehouse.publishing import TABLES
from feedback_platform.warehouse.transformation import DbtProject
from feedback_platform_tests.privacy.people import HANDED_OVER, LEAVING, OWN_PHONE, RECEIVED, land
from feedback_platform_tests.warehouse.small_platform import SmallPlatform, event

NOW = RECEIVED.replace(day=20)


@pytest.fixture
def platform(tmp_path: Path, project: DbtProject) -> SmallPlatform:
    """Somebody is about to be erased from what is published."""
    platform = SmallPlatform.at(tmp_path, project)
    land(platform.lake)
    platform.process()
    off = PreferencesChange(personalisation=False)
    for name in (LEAVING, f"anonymous:{OWN_PHONE}"):
        PreferencesLog(platform.lake).append(PreferencesEntry(f"{len(name)}", RECEIVED, name, off))
    file_request(platform.lake, [LEAVING], now=NOW)
    return platform


def test_the_tables_are_those_of_a_platform_in_which_they_never_were(
    platform: SmallPlatform, tmp_path: Path, project: DbtProject
) -> None:
    never = SmallPlatform.at(tmp_path / "never", project)
    land(never.lake, with_who_leaves=False)
    never.process()

    erase_from_lake(platform.lake, DEFAULT_MAPPING)
    platform.process()

    left, expected = tables(platform), tables(never)
    assert [name for name in left if not left[name].equals(expected[name])] == []
    assert left["interaction.interactions"].height == 11


def test_it_is_proved_and_forgotten_once_readers_see_nothing_of_them(
    platform: SmallPlatform,
) -> None:
    (request,) = pending_requests(platform.lake)
    files = set((platform.directory / "published" / "tables").iterdir())
    settings(platform).data_docs_dir.mkdir()
    (settings(platform).data_docs_dir / "index.html").write_text(f"such as '{LEAVING}'")
    erase_from_lake(platform.lake, DEFAULT_MAPPING)
    with pytest.raises(NotBuiltAnewError):
        prove(platform)
    platform.process()
    meanwhile = file_request(platform.lake, ["nobody-in-particular"], now=NOW)

    report = prove(platform)

    assert report is not None
    assert (report.users, report.devices, report.shared) == (1, 3, 1)
    assert pending_requests(platform.lake) == [meanwhile]
    assert read_report(platform.lake, request.request_id) == report.content
    assert not files & set((platform.directory / "published" / "tables").iterdir())
    for path in platform.directory.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(name.encode() in content for name in (LEAVING, OWN_PHONE, HANDED_OVER))
    assert prove(platform) is None


@pytest.mark.slow
def test_a_trace_that_is_left_is_told_of_and_the_request_stays_pending(
    platform: SmallPlatform,
) -> None:
    log = platform.directory / "logs" / "run.txt"
    log.parent.mkdir()
    log.write_text(f"no such user: {LEAVING}\n")
    erase_from_lake(platform.lake, DEFAULT_MAPPING)
    platform.process()

    with pytest.raises(TracesLeftError, match="stays pending") as raised:
        prove(platform)

    assert raised.value.places == ["logs/run.txt (1)"]
    assert LEAVING not in str(raised.value)
    (request,) = pending_requests(platform.lake)
    assert stuck_requests(platform.lake) == StuckRequests(frozenset([request.request_id]))
    assert stuck_requests(platform.lake).keys == {keys.erasure_request(request.request_id)}


@pytest.mark.slow
def test_an_attempt_that_finds_nothing_new_does_not_have_the_warehouse_built_again(
    platform: SmallPlatform,
) -> None:
    first = erase_from_lake(platform.lake, DEFAULT_MAPPING)
    platform.process()

    again = erase_from_lake(platform.lake, DEFAULT_MAPPING)

    assert first is not None
    assert again is not None
    assert again.through == first.through == erased_through(platform.lake)
    assert not platform.stage().is_rebuild
    record_stuck(platform.lake, again.requests, in_tables=True)
    anew = erase_from_lake(platform.lake, DEFAULT_MAPPING)
    assert anew is not None
    assert anew.through > first.through
    assert platform.stage().is_rebuild
    file_request(platform.lake, ["nobody-in-particular"], now=NOW)
    both = erase_from_lake(platform.lake, DEFAULT_MAPPING)
    assert both is not None
    assert both.through > anew.through
    pending = {request.request_id for request in pending_requests(platform.lake)}
    assert erased_requests(platform.lake) == pending


@pytest.mark.slow
def test_what_has_come_back_is_taken_out_again_and_what_was_built_of_it(
    platform: SmallPlatform,
) -> None:
    clean = {key: platform.lake.get(key) for key in platform.lake.list_keys(keys.CLEAN)}
    first = erase_from_lake(platform.lake, DEFAULT_MAPPING)
    for key, content in clean.items():
        platform.lake.put(key, content, mode="overwrite")
    platform.process()

    again = erase_from_lake(platform.lake, DEFAULT_MAPPING)

    assert first is not None
    assert again is not None
    assert again.through > first.through
    platform.process()
    assert prove(platform) is not None


@pytest.mark.slow
def test_what_others_say_of_them_and_what_people_wrote_is_reported_and_stays(
    platform: SmallPlatform,
) -> None:
    gossip = event("g", "page_viewed", user_id="bob", properties={"friend": LEAVING})
    platform.land(gossip, object_id="gossip")
    flag, reason = keys.flag_entry(1), keys.adjustment_entry(1)
    platform.lake.put(flag, json.dumps({"in": [LEAVING]}).encode(), mode="create")
    platform.lake.put(reason, json.dumps({"reason": f"{LEAVING}!"}).encode(), mode="create")
    platform.process()
    erase_from_lake(platform.lake, DEFAULT_MAPPING)
    platform.process()

    report = prove(platform)

    assert report is not None
    assert report.mentions > 1
    assert report.written == {flag: 1, reason: 1}
    assert f"What people wrote names them: {reason}, {flag}." in printed(report.content)
    assert pending_requests(platform.lake) == []


def test_ordinary_ids_are_erased_and_proved(platform: SmallPlatform) -> None:
    events = [
        event(f"o{n}", "page_viewed", user_id=user, device_type="mobile", value=42)
        for n, user in enumerate(["42", "mobile", "1042", "420", "bob"])
    ]
    platform.land(*events, object_id="ordinary")
    platform.process()
    file_request(platform.lake, ["42", "mobile", "1042"], now=datetime.now(UTC))
    erase_from_lake(platform.lake, DEFAULT_MAPPING)
    platform.process()

    report = prove(platform)

    assert report is not None
    assert report.indistinct == 3
    left = tables(platform)["interaction.users"]["user_id"].to_list()
    assert {"420", "bob"} <= {*left}
    assert {"42", "mobile", "1042"}.isdisjoint(left)


@pytest.mark.slow
def test_a_run_between_its_steps_does_not_stand_in_the_way(platform: SmallPlatform) -> None:
    erase_from_lake(platform.lake, DEFAULT_MAPPING)
    platform.process()
    platform.land(event("new", "page_viewed", user_id="bob"), object_id="new")
    platform.clean()
    platform.stage()
    platform.transform()

    assert prove(platform) is not None


@pytest.mark.slow
def test_the_warehouse_is_built_anew_once_after_an_erasure(platform: SmallPlatform) -> None:
    erase_from_lake(platform.lake, DEFAULT_MAPPING)

    assert platform.stage().is_rebuild
    platform.transform()
    assert not platform.stage().is_rebuild


def prove(platform: SmallPlatform) -> ErasureReport | None:
    return prove_erasures(
        platform.lake, settings(platform), DEFAULT_MAPPING, clock=lambda: datetime.now(UTC)
    )


def settings(platform: SmallPlatform) -> Settings:
    return Settings(data_dir=platform.directory, lake_url=platform.lake.url)


def tables(platform: SmallPlatform) -> dict[str, pl.DataFrame]:
    names = [table.qualified for table in TABLES]
    return {name: query(platform.published, f"from {name} order by all") for name in names}
