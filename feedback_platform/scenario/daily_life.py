"""A day of the product: its users come, see lists, react, and their clients tell the platform."""

from __future__ import annotations

import asyncio
from datetime import date, datetime
from typing import Final

import numpy as np
import polars as pl

from feedback_platform.scenario.crowd import Crowd
from feedback_platform.scenario.definition import Scenario
from feedback_platform.scenario.messages import Message, Visit, bad_messages, ended_at, messages_of
from feedback_platform.scenario.product import Listed, Product
from feedback_platform.scenario.truth import VISITS_SCHEMA
from feedback_platform.simulation.parameters import Stream, random_stream
from feedback_platform.simulation.population import Floats
from feedback_platform.simulation.reactions import Flags

_BAD_ROWS_A_VISIT: Final = 2
# Clients that send at the same moment.
_TOGETHER: Final = 50
# Not all may take part.
_ASKED: Final = 50


class DailyLife:
    """Lets the users of a scenario live.

    Attributes:
        bad_rows: day of reception → how many bad rows the platform has acknowledged.
    """

    def __init__(self, scenario: Scenario, product: Product) -> None:
        """Prepare the users.

        Args:
            scenario: who they are, and which client is broken when.
            product: speaks to the platform for them.
        """
        self._scenario = scenario
        self._product = product
        self._crowd = Crowd(scenario)
        self._random = random_stream(scenario.seed, Stream.BROKEN_CLIENT)
        self.bad_rows: dict[date, int] = {}

    async def is_tried(self, at: datetime) -> bool:
        """Return whether the server gives anybody a variant of the experiment at a time (UTC)."""
        key = self._scenario.trial.experiment.key
        for user_id in self._crowd.anybody(_ASKED):
            if key in await self._product.variants_of(user_id, at):
                return True
        return False

    async def live(self, day: int) -> pl.DataFrame:
        """Let the users of a day come; return what they were shown, as `truth.VISITS_SCHEMA`."""
        due = self._crowd.visits_of(day)
        trial = self._scenario.trial
        is_compared = trial.day <= day < trial.last_day
        visits: list[Visit] = []
        own: list[tuple[str, ...]] = []
        # The same for everybody, and models come at midnight.
        popular = await self._product.popular_list(due.times[0]) if len(due) else None
        for number, user_id, at in zip(due.numbers.tolist(), due.user_ids, due.times, strict=True):
            shown = await self._product.shown_list(user_id, at)
            by_chance = Listed(f"chance-{number}", "", *self._crowd.list_by_chance())
            if is_compared:
                # The other policy, for the sake of the truth: nobody is shown this one.
                own.append((await self._product.personal_list(user_id, at) or by_chance).items)
            # An answer waits for nothing; what it logs has to be written meanwhile.
            await asyncio.sleep(0)
            listed = shown or by_chance
            visits.append(
                Visit(
                    number=number,
                    user_id=user_id,
                    at=at,
                    recommendation_id=listed.recommendation_id,
                    items=listed.items,
                    propensities=listed.propensities,
                    is_logged=shown is not None,
                    model_version=listed.model_version,
                    variant=listed.variants.get(trial.experiment.key),
                )
            )
        lists = [visit.items for visit in visits]
        reactions = self._crowd.react(due, lists)
        used = self._crowd.reach(due)
        is_broken = self._broken(day, len(due))
        told: list[tuple[list[Message], datetime]] = []
        for row, visit in enumerate(visits):
            messages = messages_of(visit, reactions, row, used[row])
            sent_at = ended_at(messages, visit)
            if is_broken[row]:
                bad = bad_messages(visit, _BAD_ROWS_A_VISIT)
                messages += bad
                received_on = sent_at.date()
                self.bad_rows[received_on] = self.bad_rows.get(received_on, 0) + len(bad)
            if messages:
                told.append((messages, sent_at))
        for first in range(0, len(told), _TOGETHER):
            together = told[first : first + _TOGETHER]
            await asyncio.gather(*(self._product.sending(*each) for each in together))
        worth: dict[str, Floats | None] = {"control": None, "treatment": None}
        if is_compared and popular is not None:
            mine = self._crowd.expected(due, own)
            of_all = self._crowd.expected(due, [popular.items] * len(due))
            both = (mine, of_all) if trial.is_control_personal else (of_all, mine)
            worth = dict(zip(worth, both, strict=True))
        return pl.DataFrame(
            {
                "user_id": due.user_ids,
                "at": due.times,
                "variant": [each.variant for each in visits],
                "model_version": [each.model_version for each in visits],
                "impressions": [len(each) for each in lists],
                "expected": self._crowd.expected(due, lists),
                "expected_control": worth["control"],
                "expected_treatment": worth["treatment"],
            },
            schema=VISITS_SCHEMA,
        )

    def _broken(self, day: int, visits: int) -> Flags:
        """Return which visits of a day are on the broken client."""
        broken = self._scenario.broken_client
        if broken is None or not broken.first_day <= day <= broken.last_day:
            return np.full(visits, fill_value=False)
        return self._random.random(visits) < broken.share
