"""A whole platform, small, without some users: the tables of one in which they never were."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from feedback_platform.events.translation.mapping import DEFAULT_MAPPING
from feedback_platform.privacy.erasing import erase_from_lake
from feedback_platform.privacy.proof import TracesLeftError
from feedback_platform.privacy.proving import prove_erasures
from feedback_platform.privacy.reports import ErasureReport, read_report
from feedback_platform.privacy.requests import file_request, pending_requests
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


def test_a_trace_that_is_left_is_told_of_and_the_request_stays_pending(
    platform: SmallPlatform,
) -> None:
    gossip = event("g", "page_viewed", user_id="bob", properties={"friend": LEAVING})
    key = platform.land(gossip, object_id="gossip")
    platform.process()
    erase_from_lake(platform.lake, DEFAULT_MAPPING)
    platform.process()

    with pytest.raises(TracesLeftError, match="stays pending") as raised:
        prove(platform)

    assert f"lake: {key} (1)" in raised.value.places
    assert LEAVING not in str(raised.value)
    assert len(pending_requests(platform.lake)) == 1


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
