"""Exposures are told once, stay within their memory, and are told again where they were lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from feedback_platform.experiments.definition import Lever
from feedback_platform.experiments.running import Assignment
from feedback_platform.ingestion.collector.station import Station
from feedback_platform.lake.store import Lake
from feedback_platform.serving.experiment_tally import ExperimentTally
from feedback_platform.serving.exposures import Exposures
from feedback_platform.settings import Settings
from feedback_platform_tests.ingestion.collector.test_group_commit import TroubledLake
from feedback_platform_tests.serving.running import stored_lines
from feedback_platform_tests.waiting import comes_true

CARDS = Assignment("cards-at-home", "cards", Lever.FLAG, "layout", "cards")
LIST = Assignment("cards-at-home", "list", Lever.FLAG, "layout", "list")
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


def play(
    lake: Lake, scenario: Callable[[Exposures, Clock], Awaitable[None]], most: int = 100
) -> None:
    async def within() -> None:
        clock = Clock()
        station = Station(lake, write_keys={}, clock=clock)
        station.commit.start()
        try:
            await scenario(Exposures(station, most_remembered=most), clock)
        finally:
            await station.commit.stop()

    asyncio.run(within())


def told(tmp_path: Path) -> list[tuple[str, str, str]]:
    messages = [each["message"] for each in stored_lines(Settings(tmp_path, tmp_path.as_uri()))]
    return [
        (m.get("userId") or m["anonymousId"], m["properties"]["variant"], m["messageId"])
        for m in messages
    ]


def test_a_user_is_told_of_once_a_day_by_each_variant(tmp_path: Path) -> None:
    async def scenario(exposures: Exposures, clock: Clock) -> None:
        for user in ("ada", "anonymous:tv", "ada"):
            exposures.note(user, CARDS)
        exposures.note("ada", LIST)
        clock.now = NOON + timedelta(hours=11)
        exposures.note("ada", CARDS)
        clock.now = NOON + timedelta(hours=12)
        exposures.note("ada", CARDS)
        assert exposures.tally.counts == {
            ("cards-at-home", "cards"): 3,
            ("cards-at-home", "list"): 1,
        }

    play(Lake(tmp_path.as_uri()), scenario)
    found = told(tmp_path)
    assert sorted(each[:2] for each in found) == [
        ("ada", "cards"),
        ("ada", "cards"),
        ("ada", "list"),
        ("tv", "cards"),
    ]
    assert len({event_id for _, _, event_id in found}) == 4


def test_who_was_forgotten_for_others_is_told_of_again_under_the_same_name(tmp_path: Path) -> None:
    async def scenario(exposures: Exposures, _clock: Clock) -> None:
        for number in (*range(5), 4, 0):
            exposures.note(f"user-{number}", CARDS)

    play(Lake(tmp_path.as_uri()), scenario, most=3)
    found = told(tmp_path)
    assert len(found) == 6
    assert len(set(found)) == 5


def test_what_the_store_did_not_take_is_told_again(tmp_path: Path) -> None:
    lake = TroubledLake(tmp_path.as_uri())
    lake.before = [OSError("full")]

    async def scenario(exposures: Exposures, _clock: Clock) -> None:
        exposures.note("ada", CARDS)
        await comes_true(lambda: exposures.lost == 1)
        exposures.note("ada", CARDS)

    play(lake, scenario)
    assert [each[:2] for each in told(tmp_path)] == [("ada", "cards")]


def test_there_are_only_so_many_series() -> None:
    tally = ExperimentTally(most=2)
    for number in (0, 1, 2, 3, 0):
        tally.note(Assignment(f"e-{number}", "a", Lever.FLAG, "f", "a"))
    assert tally.counts == {("e-0", "a"): 2, ("e-1", "a"): 1, ("other", "other"): 2}
