"""The users of a scenario: when they come, what a list is worth to them, what they do with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from feedback_platform.scenario.definition import Scenario
from feedback_platform.simulation.parameters import Stream, random_stream
from feedback_platform.simulation.population import (
    NO_TASTES,
    Floats,
    Habits,
    Integers,
    Population,
    Tastes,
    populate,
)
from feedback_platform.simulation.product import catalogue
from feedback_platform.simulation.reactions import NO_ITEM, Reacting, Reactions, Shown
from feedback_platform.simulation.visits import DAY_MS, visit


@dataclass(frozen=True, eq=False)
class DayOfVisits:
    """Who comes on a day, in the order of time; arrays with a place for each visit.

    Attributes:
        numbers: of the visits in the scenario.
        users: indexes.
        user_ids: their names.
        times: when each looks at the product (UTC).
        is_shifted: whether the user's taste has shifted by then.
    """

    numbers: Integers
    users: Integers
    user_ids: tuple[str, ...]
    times: tuple[datetime, ...]
    is_shifted: np.ndarray[tuple[int], np.dtype[np.bool_]]

    def __len__(self) -> int:
        return len(self.numbers)


class Crowd:
    """The simulated users of a scenario."""

    def __init__(self, scenario: Scenario) -> None:
        parameters = scenario.parameters
        self._start = parameters.start
        self._positions = scenario.positions
        self._uses_a_visit = scenario.uses_a_visit
        habits = Habits(visits_a_day=scenario.visits_a_day)
        tastes = NO_TASTES if scenario.is_indifferent else Tastes()
        self._population: Population = populate(parameters, tastes, habits)
        self._names = self._population.user_ids.to_list()
        self._items = [item.item_id for item in catalogue()]
        self._index = {item_id: index for index, item_id in enumerate(self._items)}
        self._reacting = Reacting(self._population)
        self._random = random_stream(scenario.seed, Stream.REACTIONS)
        self._layout = random_stream(scenario.seed, Stream.LAYOUT)
        sessions = visit(parameters, self._population, random_stream(scenario.seed, Stream.VISITS))
        self._order = np.argsort(sessions.start_ms, kind="stable")
        self._sessions = sessions
        self._first_of_day = np.searchsorted(
            sessions.start_ms[self._order], np.arange(scenario.days + 1) * DAY_MS
        )

    def anybody(self, count: int) -> list[str]:
        """Return the names of some users."""
        return self._names[:count]

    def visits_of(self, day: int) -> DayOfVisits:
        """Return who comes on a day, counted from 0."""
        chosen = self._order[self._first_of_day[day] : self._first_of_day[day + 1]]
        users, sessions = self._sessions.user[chosen], self._sessions
        return DayOfVisits(
            numbers=np.arange(self._first_of_day[day], self._first_of_day[day + 1]),
            users=users,
            user_ids=tuple(self._names[user] for user in users),
            times=tuple(
                self._start + timedelta(milliseconds=int(ms)) for ms in sessions.start_ms[chosen]
            ),
            is_shifted=sessions.is_shifted[chosen],
        )

    def list_by_chance(self) -> tuple[tuple[str, ...], tuple[float, ...]]:
        """Return what the product shows without the platform, and the chance of each item there."""
        drawn = self._layout.permutation(len(self._items))[: self._positions]
        chance = 1 / len(self._items)
        return tuple(self._items[item] for item in drawn), (chance,) * len(drawn)

    def expected(self, day: DayOfVisits, lists: Sequence[Sequence[str]]) -> Floats:
        """Return how many clicks each of a day's visits would be expected to bring."""
        chances = self._reacting.click_chances(self._shown(day, lists))
        return np.asarray(chances.sum(axis=1))

    def react(self, day: DayOfVisits, lists: Sequence[Sequence[str]]) -> Reactions:
        """Draw what the users of a day do with their lists."""
        return self._reacting.react(self._shown(day, lists), self._random)

    def reach(self, day: DayOfVisits) -> list[list[str]]:
        """Draw which items the users of a day use by themselves, a list for each visit."""
        visits, items = self._reacting.reach(
            day.users, day.is_shifted, self._uses_a_visit, self._random
        )
        found: list[list[str]] = [[] for _ in range(len(day))]
        for row, item in zip(visits.tolist(), items.tolist(), strict=True):
            found[row].append(self._items[item])
        return found

    def _shown(self, day: DayOfVisits, lists: Sequence[Sequence[str]]) -> Shown:
        items = np.full((len(day), self._positions), NO_ITEM)
        for row, each in enumerate(lists):
            items[row, : len(each)] = [self._index[item] for item in each]
        return Shown(day.users, day.is_shifted, items)
