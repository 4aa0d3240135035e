"""The canonical event: its fields, its types, and what each type requires."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from feedback_platform.events import columns as c


class FieldKind(StrEnum):
    """How a field's text is read."""

    STRING = "string"
    TIMESTAMP = "timestamp"
    DOUBLE = "double"
    INTEGER = "integer"
    JSON = "json"


@dataclass(frozen=True)
class EventField:
    """One field of the canonical event.

    Attributes:
        name: of its column.
        kind: how its text is read.
        number: its field number in Protobuf; given once, it is never given to another field.
        description: one sentence.
    """

    name: str
    kind: FieldKind
    number: int
    description: str


@dataclass(frozen=True)
class ValueContract:
    """What the `value` of an event type means, and what it may be.

    Bounds are inclusive; `None` leaves that side open.
    """

    meaning: str
    unit: str
    is_required: bool = False
    minimum: float | None = None
    maximum: float | None = None

    def allows(self, value: float | None) -> bool:
        """Return whether an event may have a value, or none."""
        if value is None:
            return not self.is_required
        low = -math.inf if self.minimum is None else self.minimum
        high = math.inf if self.maximum is None else self.maximum
        return math.isfinite(value) and low <= value <= high


@dataclass(frozen=True)
class EventType:
    """One type of event, at one version of its contract."""

    name: str
    version: int
    description: str
    needs_item: bool = False
    required: tuple[str, ...] = ()
    value: ValueContract | None = None

    def allows(self, value: float | None) -> bool:
        """Return whether an event of this type may have a value, or none."""
        return self.value is None or self.value.allows(value)

    @property
    def required_fields(self) -> frozenset[str]:
        """The fields that an event of this type must have beside its id, its type and its user."""
        fields = set(self.required)
        if self.needs_item:
            fields.add(c.ITEM_ID)
        if self.value is not None and self.value.is_required:
            fields.add(c.VALUE)
        return frozenset(fields)

    @property
    def needs_user(self) -> bool:
        """Whether somebody must have done it, known (user_id) or not yet (anonymous_id)."""
        return self.name not in TYPES_WITHOUT_USER


_FIELDS: Final = (
    EventField(c.EVENT_ID, FieldKind.STRING, 1, "Unique; the sender's id where it has one."),
    EventField(c.EVENT_TYPE, FieldKind.STRING, 2, "One of the event types of this contract."),
    EventField(c.USER_ID, FieldKind.STRING, 3, "The known user; this or anonymous_id is required."),
    EventField(
        c.ANONYMOUS_ID, FieldKind.STRING, 4, "The device or browser of a user not yet known."
    ),
    EventField(c.SESSION_ID, FieldKind.STRING, 5, "The visit that the event belongs to."),
    EventField(
        c.ITEM_ID, FieldKind.STRING, 6, "What the event is about: a feature, film, product."
    ),
    EventField(c.OCCURRED_AT, FieldKind.TIMESTAMP, 7, "When it happened, by the sender's clock."),
    EventField(c.SENT_AT, FieldKind.TIMESTAMP, 8, "When it was sent, by the sender's clock."),
    EventField(
        c.RECEIVED_AT, FieldKind.TIMESTAMP, 9, "When it was received, by the platform's clock."
    ),
    EventField(c.VALUE, FieldKind.DOUBLE, 10, "A number whose meaning belongs to the type."),
    EventField(
        c.RECOMMENDATION_ID, FieldKind.STRING, 11, "The recommendation that showed the item."
    ),
    EventField(c.POSITION, FieldKind.INTEGER, 12, "Where in the list the item was shown, from 1."),
    EventField(
        c.PROPENSITY, FieldKind.DOUBLE, 13, "The probability with which it was shown there."
    ),
    EventField(c.PLACEMENT, FieldKind.STRING, 14, "The part of the product that showed the item."),
    EventField(
        c.EXPERIMENT_ID, FieldKind.STRING, 15, "The experiment that the user takes part in."
    ),
    EventField(c.VARIANT, FieldKind.STRING, 16, "The variant of that experiment."),
    EventField(c.DEVICE_TYPE, FieldKind.STRING, 17, "desktop, mobile, tablet, …"),
    EventField(c.PLATFORM, FieldKind.STRING, 18, "Operating system or client library."),
    EventField(c.COUNTRY, FieldKind.STRING, 19, "ISO 3166 code of the country."),
    EventField(c.APP_VERSION, FieldKind.STRING, 20, "Version of the product that sent the event."),
    EventField(c.PROPERTIES, FieldKind.JSON, 21, "Everything else, kept as it came."),
)
FIELDS: Final[dict[str, EventField]] = {field.name: field for field in _FIELDS}

# Fields that every event must have, whatever its type.
REQUIRED_FIELDS: Final = (c.EVENT_ID, c.EVENT_TYPE)

# Bounds of fields that mean the same in every type. Something that was shown had a chance to be.
FIRST_POSITION: Final = 1
IMPOSSIBLE_PROPENSITY: Final = 0.0
CERTAIN_PROPENSITY: Final = 1.0

_DWELL = ValueContract("dwell time", "milliseconds", minimum=0.0)

_TYPES: Final = (
    EventType("item_impression", 1, "An item was shown to the user.", needs_item=True),
    EventType("item_viewed", 1, "The user looked at an item.", needs_item=True, value=_DWELL),
    EventType("item_clicked", 1, "The user clicked an item that was shown.", needs_item=True),
    EventType("item_liked", 1, "The user said that an item is good.", needs_item=True),
    EventType("item_dismissed", 1, "The user said: not this one.", needs_item=True),
    EventType(
        "item_rated",
        1,
        "The user rated an item on the five-star scale, in half stars.",
        needs_item=True,
        value=ValueContract("rating", "stars", is_required=True, minimum=0.5, maximum=5.0),
    ),
    EventType("item_used", 1, "The user worked with an item.", needs_item=True, value=_DWELL),
    EventType(
        "item_converted",
        1,
        "The user bought, upgraded or subscribed because of an item.",
        needs_item=True,
        value=ValueContract("revenue", "currency units", minimum=0.0),
    ),
    EventType(
        "survey_answered",
        1,
        "The user answered a survey; properties.survey names it (nps, csat).",
        value=ValueContract("score", "points", is_required=True, minimum=0.0, maximum=10.0),
    ),
    EventType("page_viewed", 1, "The user looked at a page or screen."),
    EventType("session_started", 1, "A visit began.", required=(c.SESSION_ID,)),
    EventType("session_ended", 1, "A visit ended.", required=(c.SESSION_ID,)),
    EventType(
        "experiment_exposed",
        1,
        "The user met a variant of an experiment.",
        required=(c.EXPERIMENT_ID, c.VARIANT),
    ),
    EventType("consent_changed", 1, "The user changed what they allow."),
    EventType("user_updated", 1, "Attributes of the user, in properties."),
    EventType(
        "user_aliased",
        1,
        "Two identities turned out to be one; properties.previous_id names the other.",
    ),
    EventType("item_updated", 1, "Attributes of the item, in properties.", needs_item=True),
)
EVENT_TYPES: Final[dict[str, EventType]] = {kind.name: kind for kind in _TYPES}

# Of the canonical event as a whole: what its Protobuf message, and the JSON Schema over all types,
# are released under. A field or a type that is added needs a new one.
EVENT_VERSION: Final = 1

# An item update speaks of an item only; every other event has somebody who did it.
TYPES_WITHOUT_USER: Final = frozenset({"item_updated"})
