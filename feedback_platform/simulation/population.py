"""Who the users are: the group planted in each, what they like, how often they come."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from feedback_platform.events import columns as c
from feedback_platform.simulation.parameters import (
    SimulationParameters,
    Stream,
    check_population,
    random_stream,
)
from feedback_platform.simulation.product import (
    CATEGORIES,
    CATEGORIES_PER_GROUP,
    ITEMS_PER_CATEGORY,
    item_count,
)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

GROUP: Final = "group"


class Group(StrEnum):
    """The planted groups, in the order of the product's categories."""

    AUTOMATION = "automation-minded"
    ANALYTICS = "analytics-minded"
    COLLABORATION = "collaboration-minded"
    EXPLORATION = "exploration-minded"


GROUP_SHARES: Final[dict[Group, float]] = {
    Group.AUTOMATION: 0.30,
    Group.ANALYTICS: 0.25,
    Group.COLLABORATION: 0.25,
    Group.EXPLORATION: 0.20,
}


@dataclass(frozen=True)
class Tastes:
    """How tastes are made; all on the logit scale of a click.

    Attributes:
        wanted, unwanted: a group's own categories, and everybody else's.
        explorer: every category, for those who explore.
        category_noise, item_noise: individual deviations (standard deviation).
        trait_noise, traits: deviation that comes from hidden traits which users share.
        quality: standard deviation of the items' quality.
    """

    wanted: float = 1.3
    unwanted: float = -0.55
    explorer: float = 0.35
    category_noise: float = 0.2
    item_noise: float = 0.3
    trait_noise: float = 0.35
    traits: int = 3
    quality: float = 0.3


# Of users to whom all items are alike.
NO_TASTES: Final = Tastes(
    wanted=0, unwanted=0, explorer=0, category_noise=0, item_noise=0, trait_noise=0, quality=0
)


@dataclass(frozen=True)
class Habits:
    """How often users come.

    Attributes:
        visits_a_day: mean over users.
        spread: shape of the gamma distribution around it; larger is more alike.
        contentment: how much more often (log scale) a user one deviation more content comes.
        joining_days, joining_share: users join within these first days, or this share of all days.
    """

    visits_a_day: float = 0.435
    spread: float = 8.0
    contentment: float = 0.2
    joining_days: float = 3.0
    joining_share: float = 0.25


@dataclass(frozen=True)
class Population:
    """The users, as arrays with a place for each.

    Attributes:
        user_ids: their names.
        groups: index of the planted group.
        tastes: a row a user, a column an item, logit scale.
        quality: items, logit scale, mean 0.
        contentment: a hidden trait behind clicks, ratings, survey answers and visits.
        visits_a_day: expected visits.
        joined_day: when they join, in days from the start.
    """

    user_ids: pl.Series
    groups: Integers
    tastes: Floats
    quality: Floats
    contentment: Floats
    visits_a_day: Floats
    joined_day: Floats

    def shifted_tastes(self) -> Floats:
        """Return the tastes after everybody took to the next group's categories."""
        return np.roll(self.tastes, CATEGORIES_PER_GROUP * ITEMS_PER_CATEGORY, axis=1)


def planted_groups(users: int, seed: int) -> pl.DataFrame:
    """Return the truth about each user, without simulating what they do.

    Returns:
        `user_id` and `group`, in the order of the user ids.

    Raises:
        InvalidInputError: these numbers make no population.
    """
    check_population(users, seed)
    names = pl.Series(GROUP, [group.value for group in Group])
    return pl.DataFrame({c.USER_ID: _user_ids(users), GROUP: names.gather(_groups(users, seed))})


def populate(
    parameters: SimulationParameters,
    tastes: Tastes | None = None,
    habits: Habits | None = None,
) -> Population:
    """Return the users of a simulation.

    Args:
        parameters: who depends on users, seed and, for the joining days, days.
        tastes, habits: how they are made.
    """
    tastes, habits = tastes or Tastes(), habits or Habits()
    users = parameters.users
    groups = _groups(users, parameters.seed)
    quality = random_stream(parameters.seed, Stream.PRODUCT).normal(0, tastes.quality, item_count())
    random = random_stream(parameters.seed, Stream.POPULATION)
    contentment = random.standard_normal(users)
    rate = random.gamma(habits.spread, 1 / habits.spread, users) * np.exp(
        habits.contentment * contentment - habits.contentment**2 / 2
    )
    joining = min(habits.joining_days, habits.joining_share * parameters.days)
    return Population(
        user_ids=_user_ids(users),
        groups=groups,
        tastes=_draw_tastes(groups, tastes, random),
        quality=quality - quality.mean(),
        contentment=contentment,
        visits_a_day=habits.visits_a_day * rate,
        joined_day=random.uniform(0, joining, users),
    )


def _user_ids(users: int) -> pl.Series:
    numbers = pl.Series(c.USER_ID, np.arange(1, users + 1))
    return ("user-" + numbers.cast(pl.String).str.zfill(6)).alias(c.USER_ID)


def _groups(users: int, seed: int) -> Integers:
    random = random_stream(seed, Stream.GROUPS)
    return random.choice(len(Group), size=users, p=[GROUP_SHARES[group] for group in Group])


def _draw_tastes(groups: Integers, tastes: Tastes, random: np.random.Generator) -> Floats:
    users = len(groups)
    wants = np.full((len(Group), len(CATEGORIES)), tastes.unwanted)
    for index, group in enumerate(Group):
        first = index * CATEGORIES_PER_GROUP
        if group is Group.EXPLORATION:
            wants[index] = tastes.explorer
        else:
            wants[index, first : first + CATEGORIES_PER_GROUP] = tastes.wanted
    by_category = wants[groups] + random.normal(0, tastes.category_noise, (users, len(CATEGORIES)))
    user_traits = random.standard_normal((users, tastes.traits))
    item_traits = random.standard_normal((tastes.traits, item_count()))
    return np.asarray(
        np.repeat(by_category, ITEMS_PER_CATEGORY, axis=1)
        + user_traits @ item_traits * (tastes.trait_noise / np.sqrt(tastes.traits))
        + random.normal(0, tastes.item_noise, (users, item_count()))
    )
