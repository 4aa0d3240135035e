"""What a scenario consists of; docs/scenario.md says in words what each part means."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from feedback_platform.experiments.definition import Experiment, HoldOut
from feedback_platform.experiments.levers import PERSONAL
from feedback_platform.simulation.parameters import SimulationParameters

DAYS_A_WEEK: Final = 7


@dataclass(frozen=True)
class Shift:
    """A taste shift.

    Attributes:
        day: from when on, counted from 0.
        noticed_within: how long detection may take.
        won_back: which share of the click-through that was lost has to come back by retraining.
    """

    day: int
    noticed_within: timedelta
    won_back: float


@dataclass(frozen=True)
class BadModel:
    """A model that ranks upside down is pushed on a day, counted from 0."""

    day: int


@dataclass(frozen=True)
class BrokenClient:
    """A release of the product's client that sends bad rows.

    Attributes:
        first_day, last_day: on which it is in use, counted from 0, both included.
        share: of the visits on these days.
    """

    first_day: int
    last_day: int
    share: float


@dataclass(frozen=True)
class Trial:
    """The experiment of the story.

    Attributes:
        experiment, holdout: as its own file defines them.
        day: on which it starts, counted from 0; it ends with its horizon.
    """

    experiment: Experiment
    holdout: HoldOut
    day: int

    @property
    def treatment(self) -> str:
        """The variant that is compared with control."""
        return self.experiment.treatments[0]

    @property
    def personal(self) -> str:
        """The variant whose users have their own lists."""
        return self.experiment.control if self.is_control_personal else self.treatment

    @property
    def is_control_personal(self) -> bool:
        """Whether control is the users' own lists, and the treatment what is popular."""
        return self.experiment.variants[self.experiment.control] == PERSONAL

    @property
    def last_day(self) -> int:
        """The day that begins with its end."""
        return self.day + self.experiment.design.horizon // timedelta(days=1)


@dataclass(frozen=True)
class Scenario:
    """A story of some weeks, told to a platform by simulated users.

    Attributes:
        name: of the scenario.
        first_day: the first virtual day; long past, so that nothing happens in the future.
        weeks, users, seed: how long, how many, and the source of all chance.
        visits_a_day: of a user, on average.
        uses_a_visit: items that a user looks for and uses by themselves, on average.
        is_indifferent: whether users like all items alike, so that no list is better than another.
        positions: items of a list.
        training_days: between two trainings by the calendar; the first is after that many days.
        trial: the experiment.
        shift, bad_model, broken_client: what happens; None for a quiet product.
    """

    name: str
    first_day: date
    weeks: int
    users: int
    seed: int
    visits_a_day: float
    positions: int
    training_days: int
    trial: Trial
    shift: Shift | None
    bad_model: BadModel | None
    broken_client: BrokenClient | None
    is_indifferent: bool = False
    uses_a_visit: float = 0.0

    @property
    def days(self) -> int:
        """How many days it has."""
        return self.weeks * DAYS_A_WEEK

    @property
    def training_calendar(self) -> range:
        """The days, from 0, that begin with a training by the calendar."""
        return range(self.training_days, self.days, self.training_days)

    @property
    def parameters(self) -> SimulationParameters:
        """What the users of the scenario follow from."""
        return SimulationParameters(
            first_day=self.first_day,
            users=self.users,
            days=self.days,
            seed=self.seed,
            taste_shift_day=None if self.shift is None else self.shift.day,
        )

    def midnight(self, day: int) -> datetime:
        """Return the instant (UTC) at which a day begins, counted from 0."""
        return self.parameters.start + timedelta(days=day)
