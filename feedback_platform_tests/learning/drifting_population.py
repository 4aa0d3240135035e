"""Users of planted groups who come and go while the tastes of the groups move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import polars as pl
from numpy.typing import NDArray

CATEGORIES = ("alerts", "exports", "imports", "reports", "search", "workflows")
# How alike the users of a group are: a share of 0.5 deviates by 0.06.
_ALIKE = 60
_NOBODY: Mapping[str, int] = MappingProxyType({})


@dataclass
class DriftingPopulation:
    """Groups of users by name, each with the category that it likes most.

    In each step every group's taste moves on by a tenth of the way to the next category.
    """

    sizes: dict[str, int]
    seed: int = 0
    favourites: dict[str, float] = field(default_factory=dict)
    users: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)
        for group, size in self.sizes.items():
            self.add(group, size)

    def add(self, group: str, size: int, favourite: float | None = None) -> None:
        """Let users join a group; a new one likes the category that no group likes yet."""
        place = float(len(self.favourites)) if favourite is None else favourite
        self.favourites.setdefault(group, place)
        # An id says nothing of the group, and the order of ids nothing of who came first.
        new = [f"u{self._random.integers(1 << 60):019d}" for _ in range(size)]
        self.users[group] = [*self.users.get(group, []), *new]

    def step(self, *, turnover: float = 0.15, growth: Mapping[str, int] = _NOBODY) -> None:
        """Let a share of the users go, others come, some more or less, and all tastes move on."""
        for group, users in self.users.items():
            leaving = round(turnover * len(users))
            self.users[group] = self._random.permutation(users)[leaving:].tolist()
            self.add(group, leaving + growth.get(group, 0))
            self.favourites[group] += 0.1

    def affinities(self) -> pl.DataFrame:
        """What the users like today, in any order of rows."""
        rows = [
            (user, category, share)
            for group, users in self.users.items()
            for user, shares in zip(
                users,
                self._random.dirichlet(_ALIKE * self._taste(group), len(users)).tolist(),
                strict=True,
            )
            for category, share in zip(CATEGORIES, shares, strict=True)
        ]
        frame = pl.DataFrame(rows, schema=["user_id", "category", "affinity"], orient="row")
        return frame.sample(fraction=1, shuffle=True, seed=int(self._random.integers(1 << 30)))

    def truth(self) -> pl.DataFrame:
        """The group of each user."""
        rows = [(user, group) for group, users in self.users.items() for user in users]
        return pl.DataFrame(rows, schema=["user_id", "group"], orient="row")

    def _taste(self, group: str) -> NDArray[np.float64]:
        taste = np.full(len(CATEGORIES), 0.06)
        here, onward = divmod(self.favourites[group], 1)
        taste[int(here) % len(CATEGORIES)] += 0.64 * (1 - onward)
        taste[int(here + 1) % len(CATEGORIES)] += 0.64 * onward
        return taste
