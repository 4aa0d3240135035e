"""Lists that were answered become received lines, and whoever asked never waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from feedback_platform.events.translation.mapping import DEFAULT_MAPPING
from feedback_platform.events.translation.translation import translate
from feedback_platform.ingestion.collector.limits import Limits
from feedback_platform.ingestion.collector.station import Station
from feedback_platform.lake.store import Lake
from feedback_platform.learning.online.records import Listed
from feedback_platform.serving.impressions import Impressions
from feedback_platform.settings import Settings
from feedback_platform_tests.ingestion.collector.test_group_commit import TroubledLake
from feedback_platform_tests.serving.running import stored_lines
from feedback_platform_tests.waiting import comes_true

LISTED = [
    Listed("a", "A", ("x",), 0.9, 1 / 3, "Fits", is_exploration=False),
    Listed("b", "B", (), 0.8, 0.95, "Fits", is_exploration=True),
]


def note(impressions: Impressions, recommendation_id: str = "r-1", user: str = "ada") -> None:
    impressions.log(
        recommendation_id, user, LISTED, placement="home", model_version="m", is_personalised=True
    )


def play(
    lake: Lake, scenario: Callable[[Impressions, Station], Awaitable[None]], **limits: float
) -> None:
    async def within() -> None:
        station = Station(lake, write_keys={}, limits=Limits(**limits))  # type: ignore[arg-type]
        station.commit.start()
        try:
            await scenario(Impressions(station), station)
        finally:
            await station.commit.stop()

    asyncio.run(within())


def test_a_list_becomes_an_impression_of_each_item_with_its_probability(tmp_path: Path) -> None:
    async def scenario(impressions: Impressions, _station: Station) -> None:
        note(impressions)
        note(impressions, "r-2", "anonymous:tv")
        assert impressions.logged == 0
        await comes_true(lambda: impressions.logged == 2)

    play(Lake((tmp_path / "lake").as_uri()), scenario)

    lines = stored_lines(Settings(tmp_path, (tmp_path / "lake").as_uri()))
    first, second = (translate(line, DEFAULT_MAPPING, made_id="") for line in lines)
    assert isinstance(first, list)
    assert isinstance(second, list)
    assert [
        (e["event_id"], e["event_type"], e["user_id"], e["item_id"], e["position"], e["propensity"])
        for e in first
    ] == [
        ("r-1#1", "item_impression", "ada", "a", 1, 1 / 3),
        ("r-1#2", "item_impression", "ada", "b", 2, 0.95),
    ]
    assert first[0]["recommendation_id"] == "r-1"
    assert first[0]["placement"] == "home"
    assert first[0]["properties"] == {"model_version": "m", "is_personalised": True}
    assert [event["anonymous_id"] for event in second] == ["tv", "tv"]


def test_what_the_store_does_not_take_is_lost_counted_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lake = TroubledLake(tmp_path.as_uri())
    lake.before = [OSError("full"), OSError("full")]

    async def scenario(impressions: Impressions, _station: Station) -> None:
        note(impressions)
        await comes_true(lambda: impressions.lost == 1)
        note(impressions)
        await comes_true(lambda: impressions.lost == 2)
        note(impressions)
        await comes_true(lambda: impressions.logged == 1)

    play(lake, scenario)
    lost = [r.message for r in caplog.records if r.message.startswith("Impressions")]
    assert len(lost) == 1
    assert lost[0].startswith("Impressions of lists are lost, 1 so far: The store cannot take")


def test_while_the_store_does_not_answer_only_so_much_waits(tmp_path: Path) -> None:
    lake = TroubledLake(tmp_path.as_uri())
    lake.gate.clear()

    async def scenario(impressions: Impressions, station: Station) -> None:
        for _ in range(50):
            note(impressions)
        assert impressions.lost > 10
        assert station.commit.held_bytes <= 10_000
        lake.gate.set()
        await comes_true(lambda: impressions.lost + impressions.logged == 50)

    play(lake, scenario, held_bytes=10_000)


def test_an_empty_list_is_none_that_anybody_was_shown(tmp_path: Path) -> None:
    async def scenario(impressions: Impressions, station: Station) -> None:
        impressions.log("r", "ada", [], placement="p", model_version="m", is_personalised=True)
        assert station.commit.held_bytes == 0

    play(Lake(tmp_path.as_uri()), scenario)
