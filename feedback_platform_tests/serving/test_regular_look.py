from __future__ import annotations

import asyncio
import logging

import pytest

from feedback_platform.serving.regular_look import RegularLook


def test_a_look_that_fails_is_said_and_the_next_one_comes(caplog: pytest.LogCaptureFixture) -> None:
    looks: list[int] = []
    is_seen = asyncio.Event()

    async def look() -> None:
        looks.append(len(looks))
        if len(looks) == 2:
            raise OSError("gone")
        if len(looks) == 4:
            is_seen.set()

    async def scenario() -> None:
        looking = RegularLook(look, "The lists", seconds=0.001, first_seconds=5.0)
        await looking.start()
        assert looks == [0]
        async with asyncio.timeout(30):
            await is_seen.wait()
        await looking.stop()

    with caplog.at_level(logging.ERROR):
        asyncio.run(scenario())
    assert [record.message for record in caplog.records] == [
        "The lists cannot be read; the last ones go on."
    ]


def test_a_start_waits_for_the_first_look_only_so_long_and_it_goes_on() -> None:
    is_let_on, has_ended = asyncio.Event(), asyncio.Event()

    async def look() -> None:
        await is_let_on.wait()
        has_ended.set()

    async def scenario() -> None:
        looking = RegularLook(look, "The lists", seconds=3600.0, first_seconds=0.01)
        await looking.start()
        assert not has_ended.is_set()
        is_let_on.set()
        async with asyncio.timeout(30):
            await has_ended.wait()
        await looking.stop()

    asyncio.run(scenario())


def test_what_was_not_started_can_be_stopped() -> None:
    async def look() -> None:
        raise AssertionError

    asyncio.run(RegularLook(look, "The lists", seconds=1.0, first_seconds=1.0).stop())
