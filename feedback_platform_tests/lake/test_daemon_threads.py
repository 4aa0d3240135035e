"""Calls beside the event loop: in order, so many at once, and not in the way of the end."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from functools import partial

import pytest

from feedback_platform.lake import daemon_threads
from feedback_platform.lake.daemon_threads import DaemonThreads

TIMEOUT = 30


def test_a_call_returns_or_raises_where_it_is_waited_for() -> None:
    async def scenario() -> None:
        threads = DaemonThreads("test")
        assert await threads.run(lambda: 7) == 7
        with pytest.raises(ValueError, match="invalid literal"):
            await threads.run(partial(int, "x"))
        assert await threads.run(lambda: 8) == 8

    asyncio.run(scenario())


def test_one_thread_makes_calls_in_the_order_in_which_they_came() -> None:
    made: list[int] = []

    async def scenario() -> None:
        threads = DaemonThreads("test")
        await asyncio.gather(*(threads.run(partial(made.append, each)) for each in range(50)))

    asyncio.run(scenario())
    assert made == list(range(50))


def test_no_more_calls_than_allowed_are_made_at_once() -> None:
    async def scenario() -> None:
        threads = DaemonThreads("test", most=3)
        together = threading.Barrier(3)
        # Each call waits for two others: fewer threads would end none of them.
        places = await asyncio.gather(
            *(threads.run(partial(together.wait, TIMEOUT)) for _ in range(9))
        )
        assert sorted(places) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
        gate, begun = threading.Event(), threading.Semaphore(0)

        def hang() -> None:
            begun.release()
            assert gate.wait(TIMEOUT)

        hanging = [asyncio.ensure_future(threads.run(hang)) for _ in range(4)]
        for _ in range(3):
            assert await asyncio.to_thread(begun.acquire, timeout=TIMEOUT)
        assert not begun.acquire(blocking=False)
        gate.set()
        await asyncio.gather(*hanging)

    asyncio.run(scenario())


def test_a_call_that_nobody_waits_for_any_more_is_not_begun() -> None:
    made: list[str] = []

    async def scenario() -> None:
        threads = DaemonThreads("test")
        gate = threading.Event()
        first = asyncio.ensure_future(threads.run(partial(gate.wait, TIMEOUT)))
        await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await threads.run(partial(made.append, "late"))
        gate.set()
        assert await first
        await threads.run(partial(made.append, "next"))

    asyncio.run(scenario())
    assert made == ["next"]


def test_a_thread_without_work_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon_threads, "_IDLE_SECONDS", 0.01)

    async def scenario() -> None:
        threads = DaemonThreads("test")
        for _ in range(2):
            thread = await threads.run(threading.current_thread)
            await asyncio.to_thread(thread.join, TIMEOUT)
            assert not thread.is_alive()

    asyncio.run(scenario())


HANGING = """
import asyncio, threading
from feedback_platform.lake.daemon_threads import DaemonThreads

async def scenario():
    try:
        async with asyncio.timeout(0.01):
            await DaemonThreads("test").run(threading.Event().wait)
    except TimeoutError:
        print("ended")

asyncio.run(scenario())
"""


def test_a_process_ends_though_a_call_hangs() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", HANGING], capture_output=True, text=True, timeout=TIMEOUT, check=True
    )
    assert (ended.stdout, ended.stderr) == ("ended\n", "")
