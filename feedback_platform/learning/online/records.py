"""What goes into a list of the moment, and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class SessionEvent:
    """Something that a user did since the lists were made.

    Attributes:
        event_type: a canonical event type.
        item_id: what it is about.
        value: the event's value, such as stars or milliseconds; None where it has none.
        at: when, in seconds since 1970 (UTC).
    """

    event_type: str
    item_id: str
    value: float | None
    at: float


class Listed(NamedTuple):
    """An item at its place in a list; the place is that in the sequence of them.

    Attributes:
        item_id: which.
        title: its title, or its id where it has none.
        categories: in the order of their names.
        score: orders one user's list, as in `ml.recommendations`.
        propensity: the probability with which it stands at this place.
        reason: one sentence for the user.
        is_exploration: whether it stands higher than the model has it, to find out.
    """

    item_id: str
    title: str
    categories: tuple[str, ...]
    score: float
    propensity: float
    reason: str
    is_exploration: bool


class ReasonKind(StrEnum):
    """What kind of thing speaks for an item."""

    LIKED = "liked"
    SESSION = "session"
    SEGMENT = "segment"
    TREND = "trend"
    POPULAR = "popular"
    EXPLORATION = "exploration"


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that speaks for an item.

    Attributes:
        kind: of the reason.
        text: one sentence for the user.
        item_id, title: the other item that the reason is about, where there is one.
        weight: how much it says beside others of its kind: of a past like its likeness to the item
            times its feedback score, of what was done a moment ago how often the item came after
            it, of a segment how many times as often it likes the item as everybody, of a trend how
            many times as often the item was liked this week as in the month, of popularity how
            many like it, of exploration the probability of the place.
    """

    kind: ReasonKind
    text: str
    item_id: str | None
    title: str | None
    weight: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an item is where it is in a user's list.

    Attributes:
        item_id, title: the item.
        is_listed: whether it has a place in the list.
        position: that place, from 1; None without one.
        score: as in the list; None where the item has none for this user.
        reasons: the strongest first of each kind; what is of the user before what is of everybody.
    """

    item_id: str
    title: str
    is_listed: bool
    position: int | None
    score: float | None
    reasons: tuple[Reason, ...]
