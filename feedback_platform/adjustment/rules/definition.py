"""What a trigger rule consists of; `rules.toml` says in words what each part means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, StrEnum
from typing import Final

EVERYWHERE: Final = "all"


class Each(Enum):
    """Every value of a dimension by itself; no text, since senders may call a place anything."""

    EACH = "each"

    def __str__(self) -> str:
        return self.value


EACH: Final = Each.EACH

# By dimension a value, or every value by itself.
Scope = Mapping[str, str | Each]
# A scope as it was met: the value of each dimension.
Place = Mapping[str, str]


class Comparison(StrEnum):
    """On which side of its threshold a metric is out of bounds."""

    BELOW = "below"
    ABOVE = "above"


class Kind(StrEnum):
    """What a rule can do."""

    FLAG = "flag"
    HIDE_CATEGORY = "hide_category"
    BOOST_CATEGORY = "boost_category"
    ROLL_BACK_MODEL = "roll_back_model"
    START_EXPERIMENT = "start_experiment"
    WEBHOOK = "webhook"


class OnExpiry(StrEnum):
    """What becomes of a change that its guards have not decided about in time."""

    KEEP = "keep"
    UNDO = "undo"


@dataclass(frozen=True)
class Action:
    """What a rule does; a `{dimension}` in a text stands for the value that the rule met.

    Attributes:
        kind: of the change.
        subject: the flag, the category, the model or the experiment; nothing for a webhook.
        variant: the flag's variant; nothing for others.
    """

    kind: Kind
    subject: str = ""
    variant: str = ""

    def at(self, place: Place) -> Action:
        """Return the action with the values of a place filled in."""
        subject, variant = self.subject, self.variant
        for dimension, value in place.items():
            subject = subject.replace(f"{{{dimension}}}", value)
            variant = variant.replace(f"{{{dimension}}}", value)
        return Action(self.kind, subject, variant)


@dataclass(frozen=True)
class Guard:
    """A metric that must not get worse by a change.

    Attributes:
        metric: its name.
        scope: dimension → value; where the rule is about each value, the one it met.
        margin: by how much it may get worse, in the metric's own unit.
        window: how long after the change is compared, with as long before it.
        minimum_sample: observations on each side.
        level: of the interval of the difference.
    """

    metric: str
    scope: Scope
    margin: float
    window: timedelta
    minimum_sample: int
    level: float


@dataclass(frozen=True)
class Watch:
    """How a change is looked after once it is made.

    Attributes:
        guards: what must not get worse.
        expires_after: how long undecided guards are waited for; None for as long as it takes.
        on_expiry: what becomes of it then.
    """

    guards: tuple[Guard, ...] = ()
    expires_after: timedelta | None = None
    on_expiry: OnExpiry = OnExpiry.KEEP


@dataclass(frozen=True)
class Rule:
    """When something is changed by itself.

    Attributes:
        name: by which the ledger knows it.
        metric: its name.
        scope: dimension → value, or `each`.
        window: how much time up to the newest event is measured.
        comparison, threshold: beyond which the metric is out of bounds.
        rearm: the rule fires again only after the metric has been beyond this, on the good side.
        minimum_sample: observations below which nothing is said.
        level: of the interval that must be beyond the threshold as a whole.
        cooldown: for how long the rule does not fire again at the same place.
        action: what it does.
        watch: what happens to the change afterwards.
    """

    name: str
    metric: str
    scope: Scope
    window: timedelta
    comparison: Comparison
    threshold: float
    rearm: float
    minimum_sample: int
    level: float
    cooldown: timedelta
    action: Action
    watch: Watch


def scope_of(written: Mapping[str, str]) -> dict[str, str | Each]:
    """Return a scope as a file has it, where the word `each` stands for every value."""
    return {name: EACH if value == EACH.value else value for name, value in written.items()}


def name_of(place: Place) -> str:
    """Return a place as the ledger names it, such as `placement=home`."""
    return ", ".join(f"{name}={value}" for name, value in place.items()) or EVERYWHERE
