"""A scenario from its first day to its last, in virtual time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final, TypeVar

import polars as pl

from feedback_platform.errors import PermanentError
from feedback_platform.lake.store import Lake
from feedback_platform.scenario.bad_model import train_badly
from feedback_platform.scenario.daily_life import DailyLife
from feedback_platform.scenario.definition import Scenario
from feedback_platform.scenario.messages import catalogue_messages
from feedback_platform.scenario.product import Product
from feedback_platform.scenario.readings import Readings
from feedback_platform.scenario.runs import Runs
from feedback_platform.scenario.trial import start_trial
from feedback_platform.scenario.virtual_clock import VirtualClock

# A job takes its time, so that no two of them are of one instant.
_JOB: Final = timedelta(minutes=1)
_NEWS_SECONDS: Final = 120.0
_LOOK_SECONDS: Final = 0.05

Outcome = TypeVar("Outcome")
# Called with the days done, all days, and what has happened on the last of them.
Report = Callable[[int, int, str], None]


class ServerBehindError(PermanentError):
    """The server does not show what was published."""


class LostImpressionsError(PermanentError):
    """The platform does not know of all that users were shown."""


@dataclass
class Told:
    """What a story came to.

    Attributes:
        visits: what was shown, and what it was worth; `truth.VISITS_SCHEMA`.
        pushed: the version of the bad model.
        champion_at_push: the version in use when it was pushed.
        bad_rows: day of reception → how many bad rows were acknowledged.
        requests: to the server.
        seconds: what it took.
    """

    visits: pl.DataFrame
    pushed: str = ""
    champion_at_push: str | None = None
    bad_rows: dict[date, int] = field(default_factory=dict)
    requests: int = 0
    seconds: float = 0.0


class Story:
    """Tells a scenario.

    Args:
        scenario: what happens.
        clock: by which the server and the jobs live.
        product: speaks to the server.
        runs: what happens behind it.
        readings: what is published.
        lake: where the experiment is written down.
    """

    def __init__(
        self,
        scenario: Scenario,
        clock: VirtualClock,
        product: Product,
        runs: Runs,
        readings: Readings,
        lake: Lake,
    ) -> None:
        self._scenario = scenario
        self._clock = clock
        self._product = product
        self._runs = runs
        self._readings = readings
        self._lake = lake
        self._life = DailyLife(scenario, product)
        self._happened: list[str] = []
        self._shown = 0
        self._told = Told(pl.DataFrame())

    async def tell(self, report: Report) -> Told:
        """Live through all days, and process what the last one brought."""
        scenario, began = self._scenario, time.monotonic()
        at = self._clock()
        await self._product.open(at)
        await self._product.sending(catalogue_messages(at), at)
        days = []
        for day in range(scenario.days):
            await self._wake_up(day)
            days.append(await self._life.live(day))
            self._shown += int(days[-1]["impressions"].sum())
            report(day + 1, scenario.days, "; ".join(self._happened))
            self._happened = []
        await self._wake_up(scenario.days)
        told = self._told
        told.visits = pl.concat(days)
        told.bad_rows = self._life.bad_rows
        told.requests = self._product.requests
        told.seconds = time.monotonic() - began
        return told

    async def _wake_up(self, day: int) -> None:
        """Do at midnight what the platform does by itself, and what the story says."""
        scenario = self._scenario
        self._clock.move_to(scenario.midnight(day))
        if day == 0:
            return
        await self._run(self._runs.process)
        self._check_impressions()
        if not await self._answer_drift() and day in scenario.training_calendar:
            await self._run(lambda: self._runs.train("schedule"))
        if day == scenario.trial.day:
            start_trial(scenario.trial, self._lake, self._clock)
            self._happened.append("the experiment starts")
        if day == scenario.trial.last_day:
            self._happened.append("the experiment ends")
        if scenario.bad_model is not None and day == scenario.bad_model.day:
            self._told.champion_at_push = self._readings.champion()
            self._told.pushed = await self._run(lambda: self._runs.push(train_badly))
            self._happened.append("a bad model is pushed")
        if scenario.shift is not None and day == scenario.shift.day:
            self._happened.append("tastes shift")
        await self._wait_for_server(is_trial_new=day == scenario.trial.day)

    def _check_impressions(self) -> None:
        """Stop where impressions were lost: every rate would be wrong, and nobody would know."""
        known = self._readings.impressions()
        if known != self._shown:
            raise LostImpressionsError(
                f"Users were shown {self._shown:,} items, and the platform knows of {known:,}. A "
                "server that has to wait for its store for too long loses what it showed: tell the "
                "story again where fewer others want the same machine."
            )

    async def _answer_drift(self) -> bool:
        """Train if drift asks for it; return whether it did."""
        is_asked = await self._run(self._runs.answer_drift)
        if is_asked:
            self._happened.append("drift is found, and models are trained")
        return is_asked

    async def _run(self, job: Callable[[], Outcome]) -> Outcome:
        # In a thread of its own, so that the server goes on, and nothing meets its event loop.
        outcome = await asyncio.to_thread(job)
        self._clock.move_to(self._clock() + _JOB)
        return outcome

    async def _wait_for_server(self, *, is_trial_new: bool) -> None:
        """Wait until the server knows what was published; it looks about once a second."""
        champion = self._readings.champion()
        if champion is None:
            return
        deadline = time.monotonic() + _NEWS_SECONDS
        while time.monotonic() < deadline:
            shown = await self._product.popular_list(self._clock())
            is_listed = shown is not None and shown.model_version == champion
            if is_listed and not (is_trial_new and not await self._life.is_tried(self._clock())):
                return
            await asyncio.sleep(_LOOK_SECONDS)
        raise ServerBehindError(
            f"The server does not show the lists of {champion}, or gives nobody the variants of "
            f"the experiment, {_NEWS_SECONDS:g} s after they were there."
        )
