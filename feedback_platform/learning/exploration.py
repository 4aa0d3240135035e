"""Exploration: now and then an item of a list changes places with another one, at random.

Without it a product only ever learns about what it already believes in. In some lists one of the
first places is drawn, and an item from anywhere in the list or behind its end, all with the same
chance; the two swap. So every item that the model has ranked has a probability at each of the first
positions, known exactly; it is logged with the impression, and makes what comes of it evidence
about other ways to list (`off_policy`). Swaps also tell what a position by itself does to an item
(Joachims, Swaminathan and Schnabel, 2017, "Unbiased learning-to-rank with biased feedback").
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

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
        share: the chance of each of the first places to be drawn; 0 explores nothing.
        places: how many first places may be drawn; of one list it is one at most.
        pool: how many of the items behind the end of a list may come up.

    Raises:
        InvalidInputError: a number is out of range, or a list would need two drawn places.
    """

    share: float = 0.05
    places: int = 10
    pool: int = 80

    def __post_init__(self) -> None:
        if not (0 <= self.share <= 1 and self.places >= 1 and self.pool >= 0):
            raise InvalidInputError(
                "Exploration takes a share from 0 to 1, places from 1 and a pool from 0 up; not "
                f"{self.share}, {self.places} and {self.pool}."
            )
        if self.share * self.places > 1:
            raise InvalidInputError(
                f"A share of {self.share} of {self.places} places is more than one place a list; "
                f"{1 / self.places} is the most."
            )


NO_EXPLORATION: Final = Exploration(share=0.0)


@dataclass(frozen=True, eq=False)
class Explored:
    """Lists as they are shown, all (users x length).

    Attributes:
        items: indexes of items; -1 where there is none.
        ranks: place of the item in the model's order, from 0.
        propensities: the probability of the item at its place.
    """

    items: Ranked
    ranks: NDArray[np.int64]
    propensities: Floats

    @property
    def is_raised(self) -> NDArray[np.bool_]:
        """Whether the item stands higher than the model has ranked it."""
        return self.ranks > np.arange(self.ranks.shape[1])


def explore(ranked: Ranked, length: int, draws: Floats, exploration: Exploration) -> Explored:
    """Return lists of a length, in some of which two items have changed places.

    Args:
        ranked: (users x at least length), every user's items from the best on, -1 at the end.
        length: of the lists.
        draws: (users x 3), numbers in [0, 1) as `draws_of` makes them.
        exploration: how much.
    """
    sizes = sizes_of(ranked, length, exploration)
    slots = np.minimum(min(exploration.places, length), sizes)
    is_swapped = (draws[:, 0] < exploration.share * slots) & (sizes > 1)
    slot = (draws[:, 1] * slots).astype(np.int64)
    other = (draws[:, 2] * np.maximum(sizes - 1, 1)).astype(np.int64)
    other += other >= slot
    place = np.arange(length)
    rank = np.broadcast_to(place, (len(ranked), length)).copy()
    (swapped,) = is_swapped.nonzero()
    rank[swapped, slot[swapped]] = other[swapped]
    # What was at the other place, unless that is behind the end of the list.
    swapped = swapped[other[swapped] < length]
    rank[swapped, other[swapped]] = slot[swapped]
    missing = length - ranked.shape[1]
    padded = ranked
    if missing > 0:
        padded = np.pad(ranked, ((0, 0), (0, missing)), constant_values=-1)
    items = np.take_along_axis(padded, rank, axis=1)
    chances = probabilities(
        rank + 1, np.broadcast_to(place + 1, rank.shape), sizes[:, None], length, exploration
    )
    return Explored(items, rank, np.where(items >= 0, chances, 0.0))


class ExploredList(NamedTuple):
    """One list as it is shown.

    Attributes:
        ranks: place of each item in the model's order, from 0.
        propensities: the probability of each at its place.
    """

    ranks: list[int]
    propensities: list[float]


def explore_list(
    size: int, length: int, draws: Sequence[float], exploration: Exploration
) -> ExploredList:
    """Return what `explore` does to one list, without an array.

    Args:
        size: how many items the user has, `length` at the most.
        length: of the list.
        draws: three numbers in [0, 1), as `draws_of` makes them.
        exploration: how much.
    """
    ranks, chances = list(range(size)), list(_undrawn(size, length, exploration))
    slots = min(exploration.places, length, size)
    if size > 1 and draws[0] < exploration.share * slots:
        slot, other = int(draws[1] * slots), int(draws[2] * (size - 1))
        other += other >= slot
        for place, rank in ((slot, other), (other, slot)):
            ranks[place] = rank
            chances[place] = _swapped(rank + 1, place + 1, size, slots, exploration)
    return ExploredList(ranks, chances)


@lru_cache(maxsize=1024)
def _undrawn(size: int, length: int, exploration: Exploration) -> tuple[float, ...]:
    """Return the probabilities of a list in which nothing was drawn."""
    slots, others = min(exploration.places, length, size), max(size - 1, 1)
    share = exploration.share if size > 1 else 0.0
    first = 1 - share * (1.0 + (slots - 1.0) / others)
    rest = 1 - share * (0.0 + slots / others)
    return (first,) * slots + (rest,) * (size - slots)


def _swapped(rank: int, position: int, size: int, slots: int, exploration: Exploration) -> float:
    return exploration.share / max(size - 1, 1) * (float(rank <= slots) + (position <= slots))


def probabilities(
    ranks: NDArray[np.int64],
    positions: NDArray[np.int64],
    sizes: NDArray[np.int64],
    length: int,
    exploration: Exploration,
) -> Floats:
    """Return the probability that the item of a rank stands at a position; shapes broadcast.

    Args:
        ranks: place of the item in the model's order, from 1; 0 where the model has not ranked it.
        positions: from 1.
        sizes: how many items may come up in that list, as `sizes_of` tells.
        length: of the lists.
        exploration: how much is explored.
    """
    slots = np.minimum(min(exploration.places, length), sizes)
    share = np.where(sizes > 1, exploration.share, 0.0)
    others = np.maximum(sizes - 1, 1)
    is_slot = (ranks <= slots).astype(np.float64)
    # It leaves its place when that is drawn, or when another place is, and then it.
    stays = 1 - share * (is_slot + (slots - is_slot) / others)
    swaps = share / others * (is_slot + (positions <= slots))
    last = np.minimum(length, sizes)
    is_possible = (ranks >= 1) & (ranks <= sizes) & (positions >= 1) & (positions <= last)
    chances: Floats = np.where(is_possible, np.where(positions == ranks, stays, swaps), 0.0)
    return chances


def sizes_of(ranked: Ranked, length: int, exploration: Exploration) -> NDArray[np.int64]:
    """Return how many items may come up in each user's list, (users,)."""
    sizes: NDArray[np.int64] = (ranked[:, : length + exploration.pool] >= 0).sum(axis=1)
    return sizes


def draws_of(user_ids: Sequence[str], salt: str) -> Floats:
    """Return three numbers in [0, 1) for each user, (users x 3): the same for the same salt.

    They are digits of a hash, so a list that is made again is the same list, and no state is kept.

    Args:
        user_ids: whose.
        salt: what changes when lists are to be drawn anew.
    """
    key = _key_of(salt)
    content = b"".join(
        hashlib.blake2b(user_id.encode(), key=key, digest_size=8 * _DRAWS).digest()
        for user_id in user_ids
    )
    numbers = np.frombuffer(content, dtype="<u8").reshape(len(user_ids), _DRAWS)
    # 53 bits, as many as a float holds.
    return (numbers >> np.uint64(11)).astype(np.float64) / 2**53


def draws_of_one(user_id: str, salt: str) -> tuple[float, ...]:
    """Return the numbers of one user, as `draws_of` does, without an array."""
    digest = hashlib.blake2b(user_id.encode(), key=_key_of(salt), digest_size=8 * _DRAWS).digest()
    parts = (digest[start : start + 8] for start in range(0, len(digest), 8))
    return tuple((int.from_bytes(part, "little") >> 11) / 2**53 for part in parts)


@lru_cache(maxsize=16)
def _key_of(salt: str) -> bytes:
    return hashlib.blake2b(salt.encode(), digest_size=32).digest()
