from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from feedback_platform.scenario.virtual_clock import VirtualClock

MORNING, NOON, NIGHT = (datetime(2024, 1, 1, hour, tzinfo=UTC) for hour in (6, 12, 22))


def test_it_stands_where_it_is_put_and_does_not_go_back() -> None:
    clock = VirtualClock(MORNING)
    assert clock() == MORNING
    clock.move_to(NIGHT)
    assert clock() == NIGHT
    with pytest.raises(ValueError, match="does not go back"):
        clock.move_to(NOON)


def test_each_of_many_tasks_has_the_time_in_which_it_was_begun() -> None:
    clock = VirtualClock(MORNING)

    async def look() -> datetime:
        await asyncio.sleep(0)
        return clock()

    async def all_at_once() -> list[datetime]:
        with clock.at(NOON):
            first = asyncio.create_task(look())
        with clock.at(NIGHT):
            second = asyncio.create_task(look())
        return [await first, await second, clock()]

    assert asyncio.run(all_at_once()) == [NOON, NIGHT, MORNING]
