"""One scenario over one installation: the server, the jobs and the users, by one clock."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from typing import Any

import click

from feedback_platform.cli.progress import progress_bar
from feedback_platform.definitions import build_definitions
from feedback_platform.lake.store import Lake
from feedback_platform.orchestration.virtual import PLATFORM, platform_by, virtual_runs
from feedback_platform.scenario.definition import Scenario
from feedback_platform.scenario.findings import Finding, findings
from feedback_platform.scenario.in_process import running
from feedback_platform.scenario.product import Keys, Product
from feedback_platform.scenario.readings import Readings
from feedback_platform.scenario.runs import Runs
from feedback_platform.scenario.story import Report, Story, Told
from feedback_platform.scenario.virtual_clock import VirtualClock
from feedback_platform.serving.application import build_application
from feedback_platform.settings import Settings

_PRODUCT = "product"


def live_through(scenario: Scenario, settings: Settings) -> tuple[list[Finding], dict[str, Any]]:
    """Tell a scenario to an installation of its own; return what came of it, and what it took."""
    keys = Keys(write=secrets.token_urlsafe(24), api=secrets.token_urlsafe(24))
    settings = replace(settings, write_keys={_PRODUCT: keys.write}, api_keys={_PRODUCT: keys.api})
    clock = VirtualClock(scenario.midnight(0))
    readings = Readings(settings.published_path)
    platform = platform_by(clock, settings)
    definitions = build_definitions(settings, {PLATFORM: platform})
    with (
        progress_bar(scenario.name) as (report, detail),
        virtual_runs(definitions, platform) as runs,
    ):

        def tell(done: int, days: int, happened: str) -> None:
            report(done, days)
            if happened:
                text = f"day {done}: {happened}"
                detail(text)
                click.echo(text, err=True)

        told = asyncio.run(_told(scenario, settings, clock, keys, runs, readings, tell))
    facts = {
        "scenario": scenario.name,
        "days": scenario.days,
        "users": scenario.users,
        "visits": told.visits.height,
        "impressions": int(told.visits["impressions"].sum()),
        "requests": told.requests,
        "trainings": len(readings.trainings()),
        "seconds": round(told.seconds, 1),
    }
    return findings(scenario, told, readings), facts


async def _told(
    scenario: Scenario,
    settings: Settings,
    clock: VirtualClock,
    keys: Keys,
    runs: Runs,
    readings: Readings,
    report: Report,
) -> Told:
    async with running(build_application(settings, clock=clock)) as server:
        product = Product(server, clock, keys, scenario.positions)
        lake = Lake(settings.lake_url)
        return await Story(scenario, clock, product, runs, readings, lake).tell(report)
