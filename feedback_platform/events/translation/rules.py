"""How an event of another name becomes a canonical one: which of its properties mean which field.

A property that was taken out of its top level is left out of `properties`; what a path of the
user's mapping reached stays there as well.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, NamedTuple

import orjson

from feedback_platform.events import columns as c
from feedback_platform.events.contract import (
    CERTAIN_PROPENSITY,
    EVENT_TYPES,
    FIELDS,
    FIRST_POSITION,
    IMPOSSIBLE_PROPENSITY,
    FieldKind,
)
from feedback_platform.events.exact_json import write_exactly

Event = dict[str, Any]
Path = tuple[str, ...]


class Refusal(NamedTuple):
    """Why a message is no event.

    Attributes:
        reason: under which it is put aside.
        field: what was wrong, as the sender calls it, or None for the whole message.
    """

    reason: str
    field: str | None


# The reasons that translation itself knows; cleaning has those of the contract.
UNMAPPED_EVENT: Final = "unmapped_event"
IGNORED_EVENT: Final = "ignored_event"
MISSING_FIELD: Final = "missing_field"
INVALID_TYPE: Final = "invalid_type"
TOO_LARGE: Final = "too_large"

# One message may list many products, and each becomes an event that repeats what they share.
MOST_ITEMS: Final = 500
REPEATED_BYTES: Final = 1 << 20

# Fields that belong to one item of a list, never to the list.
_OF_AN_ITEM: Final = frozenset({c.ITEM_ID, c.VALUE, c.POSITION})
_TEXTS: Final = frozenset(n for n, known in FIELDS.items() if known.kind is FieldKind.STRING)
_NAMES: Final = frozenset({str, int, float})
# What cleaning reads as a number, too; Python itself would also take "1_0" and " 1 ".
_DECIMAL: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
# A position is an integer of 64 bits.
_BEYOND_POSITIONS: Final = 2.0**63
# What an order says that its only product brought.
_ORDER_TOTALS: Final = ("revenue", "total", "value")


@dataclass(frozen=True)
class EventRule:
    """What becomes of the events of one name.

    Attributes:
        event_type: the canonical type, or None to put the events aside as ignored.
        lifts: (property, field) pairs; of several for one field the first that has it counts.
        paths: (field, path into the properties) pairs; they go before the lifts.
        constants: fields that are the same for every event.
        added: properties that are the same for every event.
        scale: what a number taken as `value` is multiplied by.
        items: path of a list whose entries become an event each.
        is_priced: whether an entry's value is its price times its quantity.
    """

    event_type: str | None
    lifts: tuple[tuple[str, str], ...] = ()
    paths: tuple[tuple[str, Path], ...] = ()
    constants: Mapping[str, Any] = field(default_factory=dict)
    added: Mapping[str, Any] = field(default_factory=dict)
    scale: float = 1.0
    items: Path | None = None
    is_priced: bool = False

    @cached_property
    def required(self) -> frozenset[str]:
        """The fields without which there is no event of this type."""
        return EVENT_TYPES[self.event_type].required_fields if self.event_type else frozenset()

    def takes(self, into: str, value: Any) -> bool:
        """Return whether a property can mean a field; one that cannot stays a property."""
        if value is None or value == "":
            return False
        if into in _TEXTS:
            # True is an int, but no name of anything; NUL is part of none.
            return type(value) in _NAMES and (type(value) is not str or "\0" not in value)
        number = as_number(value)
        if number is None or (type(value) is int and number != value):
            return False
        if into == c.POSITION:
            return FIRST_POSITION <= number < _BEYOND_POSITIONS and number.is_integer()
        if into == c.PROPENSITY:
            return IMPOSSIBLE_PROPENSITY < number <= CERTAIN_PROPENSITY
        return math.isfinite(number * self.scale)


def apply_rule(rule: EventRule, common: Event, properties: dict[str, Any]) -> list[Event] | Refusal:
    """Return the canonical events of a message.

    Args:
        rule: what the message's name means.
        common: the fields that do not come from its properties, `event_id` among them; a
            property goes before them.
        properties: of the message; left as they are.
    """
    if rule.event_type is None:
        return Refusal(IGNORED_EVENT, "event")
    if rule.items is not None:
        listed = value_at(properties, rule.items)
        if isinstance(listed, list):
            return _events_of_items(rule, common, properties, listed)
        if listed is not None or not _has_item(rule, properties):
            reason = MISSING_FIELD if listed is None else INVALID_TYPE
            return Refusal(reason, f"properties.{'.'.join(rule.items)}")
    taken: Event = dict(rule.constants)
    rest = _both(rule, properties, taken)
    if rule.is_priced:
        _price(taken, [properties], properties, properties)
    return [_finished(rule, common, taken, rest, common.get(c.EVENT_ID))]


def value_at(properties: Any, path: Path) -> Any:
    """Return what lies at a path, or None where nothing does."""
    for name in path:
        if not isinstance(properties, dict):
            return None
        properties = properties.get(name)
    return properties


def numbered_id(event_id: Any, number: int) -> Any:
    """Return the id of one of several events of a message; it stays the same at every reading."""
    return event_id if isinstance(event_id, (dict, list)) else f"{event_id}#{number}"


def as_number(value: Any) -> float | None:
    """Return a finite number that was sent as one or as its decimal text, or None."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, str) and _DECIMAL.fullmatch(value) is None:
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _events_of_items(
    rule: EventRule, common: Event, properties: dict[str, Any], listed: list[Any]
) -> list[Event] | Refusal:
    path = rule.items or ()
    where = f"properties.{'.'.join(path)}"
    if not listed:
        return Refusal(MISSING_FIELD, where)
    shared: Event = dict(rule.constants)
    lifts = [(name, into) for name, into in rule.lifts if into not in _OF_AN_ITEM]
    found = _found(rule, properties)
    shared.update((into, value) for into, value in found if into not in _OF_AN_ITEM)
    rest = _lifted(rule, lifts, properties, shared)
    # A list further down is left: what lies around it is shared.
    rest = {name: value for name, value in rest.items() if (name,) != path}
    if len(listed) > MOST_ITEMS or _is_too_much({**common, **shared, "rest": rest}, len(listed)):
        return Refusal(TOO_LARGE, where)
    entries = [entry if isinstance(entry, dict) else _named(entry) for entry in listed]
    events = []
    for number, entry in enumerate(entries, start=1):
        taken: Event = {}
        own = _both(rule, entry, taken)
        if rule.event_type == "item_impression":
            taken.setdefault(c.POSITION, number)
        if rule.is_priced:
            _price(taken, entries, entry, properties)
        event_id = numbered_id(common.get(c.EVENT_ID), number)
        events.append(_finished(rule, common, {**shared, **taken}, {**rest, **own}, event_id))
    return events


def _is_too_much(shared: Event, times: int) -> bool:
    try:
        return len(write_exactly(shared)) * times > REPEATED_BYTES
    except orjson.JSONEncodeError:
        # What cannot be written once cannot be repeated either.
        return True


def _named(entry: Any) -> dict[str, Any]:
    """Return the product that a bare id in a list stands for."""
    return {c.ITEM_ID: entry} if isinstance(entry, (str, int, float)) else {}


def _has_item(rule: EventRule, properties: dict[str, Any]) -> bool:
    taken: Event = {}
    _both(rule, properties, taken)
    return c.ITEM_ID in taken


def _both(rule: EventRule, properties: dict[str, Any], taken: Event) -> dict[str, Any]:
    """Take what the paths and then what the lifts find; return the properties that are left."""
    if rule.paths:
        taken.update(_found(rule, properties))
    return _lifted(rule, rule.lifts, properties, taken)


def _found(rule: EventRule, properties: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    for into, path in rule.paths:
        found = value_at(properties, path)
        # What the type requires is taken as it is: the contract says by name what is wrong with it.
        if found is not None and (into in rule.required or rule.takes(into, found)):
            yield into, found


def _lifted(
    rule: EventRule,
    lifts: Iterable[tuple[str, str]],
    properties: dict[str, Any],
    taken: Event,
) -> dict[str, Any]:
    """Move properties into the fields that they mean; return those that are left."""
    rest = properties
    amiss: str | None = None
    for name, into in lifts:
        # Most of the names are in no message: that is asked first.
        if name in rest and into not in taken:
            value = rest[name]
            if rule.takes(into, value) and (into != c.VARIANT or c.EXPERIMENT_ID in taken):
                taken[into] = value
                if rest is properties:
                    rest = properties.copy()
                del rest[name]
            elif into == c.VALUE and amiss is None and value is not None and value != "":
                amiss = name
    if amiss is not None and c.VALUE in rule.required and c.VALUE not in taken:
        # A rating that is none: the contract says so by name.
        taken[c.VALUE] = rest[amiss]
        rest = {name: value for name, value in rest.items() if name != amiss}
    return rest


def _price(taken: Event, entries: list[Any], entry: dict[str, Any], order: dict[str, Any]) -> None:
    """Set what a product brought: price times quantity, or the total of an order of it alone."""
    if c.VALUE in taken:
        return
    price = as_number(entry.get("price"))
    if price is not None:
        quantity = entry.get("quantity")
        number = 1.0 if quantity is None or quantity == "" else as_number(quantity)
        amount = None if number is None else as_number(price * number)
    elif len(entries) == 1:
        totals = (as_number(order.get(name)) for name in _ORDER_TOTALS)
        amount = next((total for total in totals if total is not None), None)
    else:
        amount = None
    if amount is not None:
        taken[c.VALUE] = amount


def _finished(
    rule: EventRule, common: Event, taken: Event, properties: dict[str, Any], event_id: Any
) -> Event:
    if rule.scale != 1.0 and c.VALUE in taken:
        number = as_number(taken[c.VALUE])
        if number is not None:
            scaled = number * rule.scale
            # As text the contract refuses it by name; JSON has no number for it.
            taken[c.VALUE] = scaled if math.isfinite(scaled) else str(scaled)
    event = {**common, **taken, c.EVENT_ID: event_id, c.EVENT_TYPE: rule.event_type}
    if rule.added:
        properties = {**properties, **rule.added}
    if properties:
        event[c.PROPERTIES] = properties
    return event
