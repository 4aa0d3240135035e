"""What a simulation depends on, and nothing else: the parameters, and randomness by name."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, time, timedelta
from enum import IntEnum

import numpy as np

from feedback_platform.errors import InvalidInputError


@dataclass(frozen=True)
class Dirt:
    """How often things go wrong on the way from a user to the collector.

    Attributes:
        duplicate_rate: events delivered once more, minutes to hours later.
        missing_dwell_rate: views and uses whose dwell time got lost.
        dwell_outlier_rate: views and uses in a tab left open.
        dwell_outlier_factor: what such a dwell time is multiplied by.
        bad_row_rate: lines that break the contract, beside the good ones.
        late_rate: events received hours after they occurred.
        latest_hours: the most that a late event is late.
        skewed_user_rate: users whose clock is wrong by minutes to hours.
    """

    duplicate_rate: float = 0.01
    missing_dwell_rate: float = 0.03
    dwell_outlier_rate: float = 0.003
    dwell_outlier_factor: float = 200.0
    bad_row_rate: float = 0.003
    late_rate: float = 0.005
    latest_hours: float = 48.0
    skewed_user_rate: float = 0.02

    def __post_init__(self) -> None:
        for each in fields(self):
            number = getattr(self, each.name)
            if each.name.endswith("_rate") and not 0 <= number <= 1:
                raise InvalidInputError(f"{each.name} is {number}; a rate lies between 0 and 1.")
        if not (math.isfinite(self.dwell_outlier_factor) and self.dwell_outlier_factor >= 1):
            raise InvalidInputError(
                f"dwell_outlier_factor is {self.dwell_outlier_factor}; it must be at least 1."
            )
        if not (math.isfinite(self.latest_hours) and self.latest_hours > 1):
            raise InvalidInputError(
                f"latest_hours is {self.latest_hours}; an event is late from one hour on."
            )


@dataclass(frozen=True, kw_only=True)
class SimulationParameters:
    """Everything that decides the bytes of a simulation.

    Attributes:
        users: how many users the product has.
        days: how many days are simulated, from the midnight (UTC) that begins `first_day`.
        seed: source of all randomness.
        first_day: the first simulated day.
        taste_shift_day: from this day on (0 is the first) users want other groups' categories,
            while the product goes on showing what they wanted before; None for a quiet product.
        dirt: how often things go wrong.
    """

    first_day: date
    users: int = 2_000
    days: int = 28
    seed: int = 1
    taste_shift_day: int | None = None
    dirt: Dirt = field(default_factory=Dirt)

    def __post_init__(self) -> None:
        check_population(self.users, self.seed)
        if self.days < 1:
            raise InvalidInputError(f"days is {self.days}; simulate at least one day.")
        if self.taste_shift_day is not None and not 0 <= self.taste_shift_day < self.days:
            raise InvalidInputError(
                f"taste_shift_day is {self.taste_shift_day}; "
                f"it must be one of the simulated days, 0 to {self.days - 1}."
            )
        if isinstance(self.first_day, datetime) or not isinstance(self.first_day, date):
            raise InvalidInputError(f"first_day is {self.first_day!r}; it must be a date.")
        if (date.max - self.first_day).days <= self.days:
            raise InvalidInputError(f"{self.days} days from {self.first_day} is beyond year 9999.")

    @property
    def start(self) -> datetime:
        """The first instant."""
        return datetime.combine(self.first_day, time(), tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """The instant after the last; nothing is received from here on."""
        return self.start + timedelta(days=self.days)

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits that two simulations share only if all parameters are equal."""
        return hashlib.blake2b(repr(self).encode(), digest_size=8).hexdigest()


class Stream(IntEnum):
    """Independent sources of randomness, so that a change in one place leaves the others alone."""

    GROUPS = 1
    PRODUCT = 2
    POPULATION = 3
    VISITS = 4
    EXPOSURE = 5
    BEHAVIOUR = 6
    DELIVERY = 7
    DIRT = 8
    BAD_ROWS = 9
    REACTIONS = 10
    LAYOUT = 11
    BROKEN_CLIENT = 12


def random_stream(seed: int, stream: Stream) -> np.random.Generator:
    """Return the generator of one stream of a seed."""
    return np.random.default_rng([seed, stream])


def check_population(users: int, seed: int) -> None:
    """Refuse numbers of users and seeds that make no population.

    Raises:
        InvalidInputError: there is no user, or the seed is negative.
    """
    if users < 1:
        raise InvalidInputError(f"users is {users}; simulate at least one user.")
    if seed < 0:
        raise InvalidInputError(f"seed is {seed}; it must be 0 or more.")
