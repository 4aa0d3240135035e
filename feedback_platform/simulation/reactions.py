"""How users react to lists that somebody else has chosen for them: their true chances, and draws.

`behaviour` simulates a product that chooses by itself; here the choice comes from outside, and what
follows is the same: the click of the same chance, what comes after it, a dismissal of the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feedback_platform.simulation.chances import Amounts, Chances, Pace, click_logit
from feedback_platform.simulation.exposure import draw_columns
from feedback_platform.simulation.population import Floats, Integers, Population

Flags = NDArray[np.bool_]

# In a list that is shorter than the others.
NO_ITEM: Final = -1


@dataclass(frozen=True, eq=False)
class Shown:
    """Lists in front of users, a row each.

    Attributes:
        user: (lists,), index of the user.
        is_shifted: (lists,), whether the user's taste has shifted by then.
        items: (lists x positions), index of the item; `NO_ITEM` where there is none.
    """

    user: Integers
    is_shifted: Flags
    items: Integers


@dataclass(frozen=True, eq=False)
class Reactions:
    """What came of lists; all (lists x positions).

    Attributes:
        is_clicked, is_used, is_liked, is_dismissed: whether.
        click_ms: from the list being shown to the click.
        view_ms, use_ms: how long the item was looked at, and used.
        is_rated, stars: whether and how it was rated, where it was used.
    """

    is_clicked: Flags
    is_used: Flags
    is_liked: Flags
    is_dismissed: Flags
    is_rated: Flags
    click_ms: Integers
    view_ms: Integers
    use_ms: Integers
    stars: Integers


class Reacting:
    """Users who see lists.

    Args:
        population: who they are.
        chances, amounts, pace: how likely, how much and how fast.
    """

    def __init__(
        self,
        population: Population,
        chances: Chances | None = None,
        amounts: Amounts | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._population = population
        self._chances = chances or Chances()
        self._amounts = amounts or Amounts()
        self._pace = pace or Pace()
        self._tastes = np.stack([population.tastes, population.shifted_tastes()])

    def click_chances(self, shown: Shown) -> Floats:
        """Return the true chance of a click on each item, (lists x positions); 0 without an item.

        It is what nobody but the simulation knows: by it a policy has an expected click-through
        before anybody has clicked.
        """
        user = shown.user[:, None]
        position = np.arange(1, shown.items.shape[1] + 1)
        logit = click_logit(
            self._chances,
            match=self._match(shown),
            quality=self._population.quality[shown.items],
            contentment=self._population.contentment[user],
            position=position,
        )
        return np.where(shown.items == NO_ITEM, 0.0, _logistic(logit))

    def react(self, shown: Shown, random: np.random.Generator) -> Reactions:
        """Draw what users do with their lists."""
        match, shape = self._match(shown), shown.items.shape
        amounts, chances, pace = self._amounts, self._chances, self._pace
        is_clicked = random.random(shape) < self.click_chances(shown)
        is_used = is_clicked & (random.random(shape) < _logistic(chances.use + match))
        is_liked = is_used & (random.random(shape) < _logistic(chances.like + match))
        dismissal = _logistic(chances.dismiss - chances.dismiss_match * match)
        is_ignored = (shown.items != NO_ITEM) & ~is_clicked
        stars = (
            amounts.rating
            + amounts.rating_match * match
            + self._population.quality[shown.items]
            + random.normal(0, amounts.rating_spread, shape)
        )
        spread = random.normal(0, amounts.dwell_spread, (2, *shape))
        dwell = np.exp(amounts.dwell_match * match + spread)
        return Reactions(
            is_clicked=is_clicked,
            is_used=is_used,
            is_liked=is_liked,
            is_dismissed=is_ignored & (random.random(shape) < dismissal),
            is_rated=is_used & (random.random(shape) < chances.raters * chances.rate),
            click_ms=_whole(np.minimum(random.exponential(pace.click, shape), pace.longest_click)),
            view_ms=_whole(np.minimum(amounts.view_ms * dwell[0], amounts.longest_view_ms)),
            use_ms=_whole(np.minimum(amounts.use_ms * dwell[1], amounts.longest_use_ms)),
            stars=_whole(np.clip(stars, 1, 5)),
        )

    def reach(
        self, user: Integers, is_shifted: Flags, mean: float, random: np.random.Generator
    ) -> tuple[Integers, Integers]:
        """Draw what users look for by themselves, whatever they are shown.

        Args:
            user, is_shifted: of each visit, as in `Shown`.
            mean: how many items a visit, on average.
            random: of the draws.

        Returns:
            Two arrays of one length: index of the visit, and of the item that is used in it.
        """
        visit = np.repeat(np.arange(len(user)), random.poisson(mean, len(user)))
        weights = np.exp(self._chances.sharpness * self._tastes + self._population.quality)
        rows = is_shifted[visit] * len(self._population.groups) + user[visit]
        items = draw_columns(weights.reshape(-1, weights.shape[2]), rows, random)
        return visit, items

    def _match(self, shown: Shown) -> Floats:
        """Return how much each user likes each item at the time."""
        shifted = shown.is_shifted.astype(np.int64)[:, None]
        return np.asarray(self._tastes[shifted, shown.user[:, None], shown.items])


def _logistic(logit: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-logit)))


def _whole(values: Floats) -> Integers:
    return np.rint(values).astype(np.int64)
