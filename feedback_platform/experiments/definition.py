"""What an experiment consists of; docs/experiments.md says in words what each part means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Final

from feedback_platform.adjustment.flags.definition import EVERYBODY, Condition

DEFAULT_ALPHA: Final = 0.05
DEFAULT_POWER: Final = 0.8
# Where a confidence sequence is narrowest when nobody says how large the experiment will be.
DEFAULT_TUNED_FOR: Final = 5_000
# The intervals are asymptotic: of fewer users in an arm nothing is decided.
DEFAULT_MINIMUM_USERS: Final = 100


class Lever(StrEnum):
    """What an experiment varies."""

    FLAG = "flag"
    MODEL = "model"
    RANKING_POLICY = "ranking_policy"
    THRESHOLD = "threshold"


class OnShip(StrEnum):
    """What becomes of a variant that is found to be better."""

    WAIT = "wait"
    APPLY = "apply"


class Unit(StrEnum):
    """Who is assigned to a variant, and counts once."""

    USER = "user"


@dataclass(frozen=True)
class Slot:
    """A part of an exclusion group: who is in one slot of a group is in no other.

    Attributes:
        group: its name, a namespace in GrowthBook's words.
        begins, ends: the range, in percent of all users; its end is not in it.
    """

    group: str
    begins: float
    ends: float


@dataclass(frozen=True)
class Goal:
    """A metric that decides.

    Attributes:
        metric: its name.
        minimum_effect: the smallest change worth finding, in the metric's own unit.
    """

    metric: str
    minimum_effect: float


@dataclass(frozen=True)
class Guard:
    """A metric that must not get worse.

    Attributes:
        metric: its name.
        margin: by how much it may get worse, in the metric's own unit.
    """

    metric: str
    margin: float


@dataclass(frozen=True)
class Design:
    """How an experiment is read.

    Attributes:
        horizon: how long it runs.
        alpha: how often something is found where nothing is.
        power: how often the minimum effect is found where it is.
        is_sequential: whether it may end as soon as its confidence sequence says so.
        tuned_for: at how many users in two arms that sequence is narrowest.
        minimum_users: of an arm, below which nothing is decided.
        cuped_window: how long before the first exposure a user's own past is taken to explain what
            the user does; None for not at all.
    """

    horizon: timedelta
    alpha: float = DEFAULT_ALPHA
    power: float = DEFAULT_POWER
    is_sequential: bool = True
    tuned_for: int = DEFAULT_TUNED_FOR
    minimum_users: int = DEFAULT_MINIMUM_USERS
    cuped_window: timedelta | None = None


@dataclass(frozen=True)
class Experiment:
    """One experiment.

    Attributes:
        key: by which events and tables know it.
        hypothesis: what is expected, and why.
        lever, subject: what is varied: the name of a flag, a model, a placement whose ranking
            policy it is, or a threshold.
        variants: name → the flag's variant, the model's version, the policy, or the number.
        control: the variant that the others are compared with.
        split: the share of each variant in percent of who takes part; they add up to 100.
        primary: metrics that decide.
        design: how it is read.
        percentage: of the audience, how many take part; raised, nobody changes the variant.
        seed: decides together with the user's id who gets what.
        audience: conditions that all have to hold.
        slot: its part of an exclusion group, None for experiments that exclude no other.
        secondary: metrics that explain.
        guards: metrics that must not get worse.
        unit: who is assigned.
        on_ship: whether the variant to ship waits for a person, or everybody gets it by itself.
    """

    key: str
    hypothesis: str
    lever: Lever
    subject: str
    variants: Mapping[str, str | float]
    control: str
    split: Mapping[str, float]
    primary: tuple[Goal, ...]
    design: Design
    percentage: float = EVERYBODY
    seed: str = ""
    audience: tuple[Condition, ...] = ()
    slot: Slot | None = None
    secondary: tuple[str, ...] = ()
    guards: tuple[Guard, ...] = ()
    unit: Unit = Unit.USER
    on_ship: OnShip = OnShip.WAIT

    @property
    def treatments(self) -> tuple[str, ...]:
        """The variants other than control."""
        return tuple(name for name in self.variants if name != self.control)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Every metric that is measured, once, the deciding ones first."""
        named = (
            *(goal.metric for goal in self.primary),
            *(guard.metric for guard in self.guards),
            *self.secondary,
        )
        return tuple(dict.fromkeys(named))

    def kind_of(self, metric: str) -> str:
        """Return what a metric is for; one that decides and guards decides."""
        if metric in {goal.metric for goal in self.primary}:
            return "primary"
        return "guard" if metric in {guard.metric for guard in self.guards} else "secondary"


@dataclass(frozen=True)
class HoldOut:
    """Users who take part in no experiment, for ever: what all of them together have brought.

    Attributes:
        percentage: of all users; raised, who is in stays in.
        seed: decides together with the user's id who is in.
    """

    percentage: float = 0.0
    seed: str = "holdout"


@dataclass(frozen=True)
class Programme:
    """All experiments of an installation, by key, and who is in none of them."""

    experiments: Mapping[str, Experiment] = field(default_factory=dict)
    holdout: HoldOut = field(default_factory=HoldOut)
