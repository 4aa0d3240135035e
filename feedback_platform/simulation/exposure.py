"""What the product shows: partly what the user used to like, with its true probability.

Items fall into four classes, spread alike over the categories. A list draws a rotation at random
and fills each position from the next class, so that no item is in it twice, and the probability of
an item at a position is exactly that of its class (1/4) times that of the item within the class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from feedback_platform.simulation.population import Floats, Integers, Population
from feedback_platform.simulation.visits import Sessions

CLASSES: Final = 4


@dataclass(frozen=True)
class Placement:
    """A part of the product that shows items.

    Attributes:
        name: as in the events.
        positions: items in its list; no more than there are classes.
        share: the sessions that meet it.
        delay_ms: how long after the start of a session it is shown, on average.
        appeal: how much it adds to the logit of a click.
    """

    name: str
    positions: int
    share: float
    delay_ms: int
    appeal: float


PLACEMENTS: Final = (
    Placement("home", 4, 1.0, 2_000, 0.0),
    Placement("sidebar", 3, 0.4, 3_000, -0.3),
    Placement("onboarding", 3, 0.3, 20_000, 0.2),
)


@dataclass(frozen=True)
class Policy:
    """How the product chooses.

    Attributes:
        sharpness: how strongly the choice follows taste.
        exploration: the share of choices made evenly over all items.
        position_gap_ms: between one position and the next being drawn on the screen.
    """

    sharpness: float = 1.25
    exploration: float = 0.25
    position_gap_ms: int = 40


@dataclass(frozen=True)
class Impressions:
    """What was shown, as arrays with a place for each impression.

    Attributes:
        session, item, placement: indices.
        list_number: which list of the simulation it belongs to, from 0.
        position: from 1.
        propensity: the probability of this item at this position.
        at_ms: milliseconds from the start of the simulation.
    """

    session: Integers
    item: Integers
    placement: Integers
    list_number: Integers
    position: Integers
    propensity: Floats
    at_ms: Integers


class Layout:
    """The product as each user finds it: which items it puts in front of them."""

    def __init__(self, population: Population, policy: Policy) -> None:
        users = len(population.groups)
        within = np.exp(policy.sharpness * population.tastes)
        within = within.reshape(users, -1, CLASSES).transpose(0, 2, 1)
        within = within / within.sum(axis=2, keepdims=True)
        within = (1 - policy.exploration) * within + policy.exploration / within.shape[2]
        self._within = within.reshape(users * CLASSES, -1)

    def draw(
        self, user: Integers, item_class: Integers, random: np.random.Generator
    ) -> tuple[Integers, Floats]:
        """Return an item of a class for each user, and its probability where classes are even."""
        row = user * CLASSES + item_class
        member = draw_columns(self._within, row, random)
        return member * CLASSES + item_class, self._within[row, member] / CLASSES


def expose(
    sessions: Sessions, layout: Layout, policy: Policy, random: np.random.Generator
) -> Impressions:
    """Return the impressions of all sessions."""
    parts = []
    lists = 0
    for index, placement in enumerate(PLACEMENTS):
        met = np.flatnonzero(random.random(len(sessions)) < placement.share)
        shown_ms = sessions.start_ms[met] + random.uniform(0.5, 1.5, len(met)) * placement.delay_ms
        rotation = random.integers(0, CLASSES, len(met))
        position = np.tile(np.arange(1, placement.positions + 1), len(met))
        slot = np.repeat(np.arange(len(met)), placement.positions)
        session = met[slot]
        item, propensity = layout.draw(
            sessions.user[session], (rotation[slot] + position) % CLASSES, random
        )
        at_ms = shown_ms.astype(np.int64)[slot] + position * policy.position_gap_ms
        placed = np.full(len(slot), index)
        parts.append((session, item, placed, lists + slot, position, propensity, at_ms))
        lists += len(met)
    columns = [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]
    return Impressions(*columns)


def draw_columns(weights: Floats, rows: Integers, random: np.random.Generator) -> Integers:
    """Return, for each given row of a matrix of weights, a column drawn by that row's weights."""
    cumulative = np.cumsum(weights, axis=1)
    cumulative /= cumulative[:, -1:]
    # Row r occupies the interval from r to r + 1: one sorted array answers for all rows.
    flat = (cumulative + np.arange(len(weights))[:, None]).ravel()
    place = np.searchsorted(flat, rows + random.random(len(rows)), side="right")
    return np.asarray(np.minimum(place - rows * weights.shape[1], weights.shape[1] - 1))
