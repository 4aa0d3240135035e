"""Whether the lake answers: asked in a thread of its own, once however many want to know."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from feedback_platform.errors import LakeUnavailableError
from feedback_platform.ingestion.collector.group_commit import GroupCommit
from feedback_platform.ingestion.collector.limits import Limits
from feedback_platform.lake.store import Lake
from feedback_platform.serving import health as health_module
from feedback_platform.serving.health import Health
from feedback_platform_tests.waiting import comes_true

SILENCE = "the lake does not answer"


class SlowLake(Lake):
    """Answers when it may; counts what it was asked."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.asked = 0
        self.may_answer = threading.Event()
        self.error: Exception | None = None

    def find(self, key: str) -> bytes | None:
        self.asked += 1
        assert self.may_answer.wait(30)
        if self.error is not None:
            raise self.error
        return super().find(key)


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[SlowLake]:
    lake = SlowLake(tmp_path.as_uri())
    yield lake
    lake.may_answer.set()


def health_of(lake: Lake, lists_are_awaited: Callable[[], bool] = lambda: False) -> Health:
    return Health(lake, GroupCommit(lake, instance="test", limits=Limits()), lists_are_awaited)


def test_all_who_ask_at_once_share_an_answer(lake: SlowLake) -> None:
    async def scenario() -> list[Any]:
        health = health_of(lake)
        asking = [asyncio.ensure_future(health.obstacle()) for _ in range(20)]
        await asyncio.sleep(0)
        lake.may_answer.set()
        return await asyncio.gather(*asking)

    assert asyncio.run(scenario()) == [None] * 20
    assert lake.asked == 1


def test_a_lake_that_is_silent_is_not_asked_again_meanwhile(
    lake: SlowLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_module, "_LAKE_SECONDS", 0.02)
    monkeypatch.setattr(health_module, "_CACHE_SECONDS", 0.0)

    async def scenario() -> None:
        health = health_of(lake)
        for _ in range(10):
            assert await health.obstacle() == SILENCE
        # The thread that asks may begin late.
        await comes_true(lambda: lake.asked > 0)
        assert lake.asked == 1
        # What the collector needs for its own work is free.
        assert await asyncio.wait_for(asyncio.to_thread(lambda: 7), 30) == 7
        lake.may_answer.set()
        for _ in range(3000):
            if await health.obstacle() is None:
                return
            await asyncio.sleep(0.01)
        pytest.fail("nobody asked again")

    asyncio.run(scenario())


def test_who_stops_waiting_does_not_take_the_answer_from_others(lake: SlowLake) -> None:
    async def scenario() -> None:
        health = health_of(lake)
        first = asyncio.ensure_future(health.obstacle())
        second = asyncio.ensure_future(health.obstacle())
        await asyncio.sleep(0)
        first.cancel()
        lake.may_answer.set()
        assert await second is None

    asyncio.run(scenario())


def test_a_lake_that_fails_is_an_obstacle(lake: SlowLake) -> None:
    lake.may_answer.set()
    lake.error = LakeUnavailableError("gone")
    assert asyncio.run(health_of(lake).obstacle()) == "the lake cannot be read"


def test_who_still_reads_the_lists_is_not_ready_and_then_is(lake: SlowLake) -> None:
    lake.may_answer.set()
    awaited = [True]

    async def scenario() -> None:
        health = health_of(lake, lambda: awaited[0])
        assert await health.obstacle() == "the lists are still being read"
        awaited[0] = False
        assert await health.obstacle() is None

    asyncio.run(scenario())
