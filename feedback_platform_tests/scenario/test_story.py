from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from feedback_platform.lake.store import Lake
from feedback_platform.scenario.definition_file import load_scenario
from feedback_platform.scenario.in_process import running
from feedback_platform.scenario.product import Keys, Product
from feedback_platform.scenario.story import LostImpressionsError, Story
from feedback_platform.scenario.virtual_clock import VirtualClock
from feedback_platform.serving.application import build_application
from feedback_platform.settings import load_settings
from feedback_platform_tests.scenario.test_definition_file import SHORT

KEYS = Keys(write="w" * 20, api="a" * 20)
ENVIRONMENT = {
    "FEEDBACK_WRITE_KEYS": f"product:{KEYS.write}",
    "FEEDBACK_API_KEYS": f"product:{KEYS.api}",
}


class Behind:
    """A platform to which nothing of the first day has come: its runs, and what it publishes."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return {"process": lambda: None, "impressions": lambda: 0}[name]


def test_a_story_that_loses_impressions_stops_at_the_next_midnight(tmp_path: Path) -> None:
    scenario = replace(load_scenario(SHORT), users=100)
    settings, clock = load_settings(tmp_path, ENVIRONMENT), VirtualClock(scenario.midnight(0))
    days: list[int] = []

    async def told() -> None:
        async with running(build_application(settings, clock=clock)) as server:
            product, behind = (
                Product(server, clock, KEYS, scenario.positions),
                cast("Any", Behind()),
            )
            story = Story(scenario, clock, product, behind, behind, Lake(settings.lake_url))
            await story.tell(lambda done, _all, _happened: days.append(done))

    with pytest.raises(LostImpressionsError, match="and the platform knows of 0"):
        asyncio.run(told())
    assert days == [1]
