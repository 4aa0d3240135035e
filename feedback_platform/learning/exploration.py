"""Exploration: now and then a place of a list goes to an item that the model would not have listed.

Without it a product only ever learns about what it already believes in. In some lists, and in one
of their first places, stands an item drawn evenly from those that come after the list's end; what
stood there and behind it moves down by one. So everything that a list may hold has a probability
at each position, known exactly; it is logged with the impression, and makes what comes of it
evidence about other ways to list (`off_policy`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.ranking import Ranked

Floats = NDArray[np.float64]

_DRAWS: Final = 3


@dataclass(frozen=True)
class Exploration:
    """How much is explored, and where.

    Attributes:
        share: of the first places of all lists, how many hold an explored item; 0 for none.
        places: how many first places of a list may hold one; no list has more than one.
        pool: how many of the items behind the end of a list may come up.

    Raises:
        InvalidInputError: a number is out of range, or a list would need two explored items.
    """

    share: float = 0.05
    places: int = 10
    pool: int = 80

    def __post_init__(self) -> None:
        if not (0 <= self.share <= 1 and self.places >= 1 and self.pool >= 1):
            raise InvalidInputError(
                f"Exploration takes a share from 0 to 1, places and a pool from 1 up; not "
                f"{self.share}, {self.places} and {self.pool}."
            )
        if self.share * self.places > 1:
            raise InvalidInputError(
                f"A share of {self.share} of {self.places} places is more than one explored item a "
                f"list; {1 / self.places} is the most."
            )

    def a_list(self, length: int) -> float:
        """Return the probability that a list of a length holds an explored item."""
        return self.share * min(self.places, length)


NOTHING: Final = Exploration(share=0.0)


@dataclass(frozen=True, eq=False)
class Explored:
    """Lists as they are shown, all (users x n).

    Attributes:
        items: indexes of items; -1 where there is none.
        propensities: the probability of the item at its place.
        is_explored: whether the item was drawn.
    """

    items: Ranked
    propensities: Floats
    is_explored: NDArray[np.bool_]


def explore(ranked: Ranked, length: int, draws: Floats, exploration: Exploration) -> Explored:
    """Return lists of a length, some of them with an explored item.

    A list with nothing behind its end explores nothing.

    Args:
        ranked: (users x at least length), every user's items from the best on, -1 at the end.
        length: of the lists.
        draws: (users x 3), numbers in [0, 1) as `draws_of` makes them.
        exploration: how much.
    """
    users = len(ranked)
    pool = pool_sizes(ranked, length, exploration)
    slots = min(exploration.places, length)
    is_exploring = (draws[:, 0] < exploration.a_list(length)) & (pool > 0)
    slot = (draws[:, 1] * slots).astype(np.int64)
    drawn = length + (draws[:, 2] * np.maximum(pool, 1)).astype(np.int64)
    place = np.arange(length)
    is_explored = is_exploring[:, None] & (place == slot[:, None])
    has_moved = is_exploring[:, None] & (place > slot[:, None])
    source = np.where(is_explored, drawn[:, None], place - has_moved)
    items = np.take_along_axis(ranked, np.minimum(source, ranked.shape[1] - 1), axis=1)
    of_place = np.broadcast_to(place + 1, (users, length))
    chances = probabilities(
        source + 1, of_place, np.broadcast_to(pool[:, None], (users, length)), length, exploration
    )
    return Explored(items, np.where(items >= 0, chances, 0.0), is_explored)


def probabilities(
    ranks: NDArray[np.int64],
    positions: NDArray[np.int64],
    pool: NDArray[np.int64],
    length: int,
    exploration: Exploration,
) -> Floats:
    """Return the probability that the item of a rank stands at a position; any one shape.

    Args:
        ranks: place of the item in the model's order, from 1; 0 where the model has not ranked it.
        positions: from 1.
        pool: how many items could be explored in that list.
        length: of the lists.
        exploration: how much is explored.
    """
    slots = min(exploration.places, length)
    chance = np.where(pool > 0, exploration.a_list(length), 0.0)
    moves = chance * np.minimum(ranks, slots) / slots
    is_listed = (ranks >= 1) & (ranks <= length) & (positions <= length)
    stays = np.where(is_listed & (positions == ranks), 1 - moves, 0.0)
    moved = np.where(is_listed & (positions == ranks + 1), moves, 0.0)
    is_pooled = (ranks > length) & (ranks <= length + pool) & (positions <= slots)
    drawn = np.where(is_pooled, chance / slots / np.maximum(pool, 1), 0.0)
    total: Floats = stays + moved + drawn
    return total


def draws_of(user_ids: Sequence[str], salt: str) -> Floats:
    """Return three numbers in [0, 1) for each user, (users x 3): the same for the same salt.

    They are digits of a hash, so a list that is made again is the same list, and no state is kept.

    Args:
        user_ids: whose.
        salt: what changes when lists are to be drawn anew.
    """
    key = hashlib.blake2b(salt.encode(), digest_size=32).digest()
    content = b"".join(
        hashlib.blake2b(user_id.encode(), key=key, digest_size=8 * _DRAWS).digest()
        for user_id in user_ids
    )
    numbers = np.frombuffer(content, dtype="<u8").reshape(len(user_ids), _DRAWS)
    # 53 bits, as many as a float holds.
    return (numbers >> np.uint64(11)).astype(np.float64) / 2**53


def pool_sizes(ranked: Ranked, length: int, exploration: Exploration) -> NDArray[np.int64]:
    """Return how many items behind the end of each list may come up, (users,)."""
    behind = ranked[:, length : length + exploration.pool]
    return (behind >= 0).sum(axis=1).astype(np.int64)
