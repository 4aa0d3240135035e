from __future__ import annotations

import asyncio
import threading

import pytest

from feedback_platform.ingestion.collector.limits import Limits
from feedback_platform.ingestion.collector.refusals import RequestRefusedError
from feedback_platform.ingestion.collector.turns import Turns


def test_two_work_at_once_and_whose_turn_does_not_come_is_told_so() -> None:
    gate = threading.Event()
    lock = threading.Lock()
    working: list[int] = []

    def work(number: int) -> int:
        with lock:
            working.append(number)
        assert gate.wait(30)
        return number

    async def scenario() -> None:
        turns = Turns(Limits(wait_seconds=0.2))
        first = [asyncio.ensure_future(turns.run(work, number)) for number in range(2)]
        await asyncio.sleep(0.05)
        with pytest.raises(RequestRefusedError) as refused:
            await turns.run(work, 2)
        assert refused.value.status == 503
        assert sorted(working) == [0, 1]
        gate.set()
        assert await asyncio.gather(*first) == [0, 1]
        assert await turns.run(work, 3) == 3

    asyncio.run(scenario())


def test_a_failure_gives_the_turn_to_the_next() -> None:
    async def scenario() -> None:
        turns = Turns(Limits(wait_seconds=1))
        for _ in range(5):
            with pytest.raises(ValueError, match="invalid literal"):
                await turns.run(int, "x")
        assert await turns.run(int, "7") == 7

    asyncio.run(scenario())
