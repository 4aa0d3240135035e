"""The file in which users map their own event names, as `docs/event-mapping.toml` shows it."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final

from feedback_platform.errors import InvalidInputError
from feedback_platform.events import columns as c
from feedback_platform.events.contract import EVENT_TYPES
from feedback_platform.events.translation.naming import LONGEST_NAME, folded
from feedback_platform.events.translation.rules import EventRule, Path
from feedback_platform.events.translation.segment_names import SHARED_LIFTS

# The fields that an entry may say where to find, and those that it may set for all events.
MAPPED_FIELDS: Final = (
    c.ITEM_ID,
    c.VALUE,
    c.SESSION_ID,
    c.RECOMMENDATION_ID,
    c.POSITION,
    c.PROPENSITY,
    c.PLACEMENT,
    c.EXPERIMENT_ID,
    c.VARIANT,
    c.DEVICE_TYPE,
    c.PLATFORM,
    c.COUNTRY,
    c.APP_VERSION,
)
_KEYS: Final = ("type", "ignore", "items", "scale", "set", *MAPPED_FIELDS)
# A session is known from the context or from properties.session_id; these nobody else knows.
_NEEDED: Final = (c.ITEM_ID, c.VALUE, c.EXPERIMENT_ID, c.VARIANT)
# What `set` says of these would be the same for every event, which they never are.
_NEVER_SET: Final = frozenset({c.SESSION_ID, c.RECOMMENDATION_ID})


def parse_mapping(text: str, *, origin: str) -> dict[str, EventRule]:
    """Read a mapping; the rules by folded name.

    Args:
        text: the file's content.
        origin: its name, for the error.

    Raises:
        InvalidInputError: the text is not TOML, or an entry means nothing.
    """
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidInputError(f"{origin} is not valid TOML: {error}") from error
    _check_known(content, ("events",), origin)
    events = content.get("events", {})
    if not isinstance(events, dict):
        raise InvalidInputError(f'{origin}: events must be tables such as [events."Film Watched"].')
    rules: dict[str, EventRule] = {}
    names: dict[str, str] = {}
    for name, entry in events.items():
        where = f'{origin}: [events."{name}"]'
        if not name or len(name) > LONGEST_NAME:
            raise InvalidInputError(f"{where}: a name has 1 to {LONGEST_NAME} characters.")
        key = folded(name)
        if key in names:
            raise InvalidInputError(
                f'{where} is the same name as [events."{names[key]}"]: case, blanks and '
                "punctuation do not count. Leave one of them out."
            )
        names[key] = name
        rules[key] = _rule(entry, where)
    return rules


def _rule(entry: Any, where: str) -> EventRule:
    if not isinstance(entry, dict):
        raise InvalidInputError(f"{where} must be a table with a type, or with ignore = true.")
    _check_known(entry, _KEYS, where)
    if "ignore" in entry:
        if entry != {"ignore": True}:
            raise InvalidInputError(f"{where}: ignore is true and stands alone, or is left out.")
        return EventRule(None)
    event_type = _event_type(entry.get("type"), where)
    constants, added = _constants(entry.get("set", {}), f"{where} set")
    paths = {name: _path(entry[name], f"{where} {name}") for name in MAPPED_FIELDS if name in entry}
    if both := sorted(paths.keys() & constants.keys()):
        raise InvalidInputError(f"{where} gives {both[0]} both a path and a constant under set.")
    items = _path(entry["items"], f"{where} items") if "items" in entry else None
    needed = EVENT_TYPES[event_type].required_fields
    for name in _NEEDED:
        if name in needed and name not in paths and name not in constants:
            # The entries of a list may be the ids themselves.
            if name == c.ITEM_ID and items is not None:
                continue
            raise InvalidInputError(
                f"{where} is of type {event_type}, which needs {name}: "
                f'say where to find it, such as {name} = "{_EXAMPLES[name]}".'
            )
    return EventRule(
        event_type,
        lifts=(((c.ITEM_ID, c.ITEM_ID),) if items else ()) + SHARED_LIFTS,
        paths=tuple(paths.items()),
        constants=constants,
        added=added,
        scale=_scale(entry, where),
        items=items,
    )


_EXAMPLES: Final = {
    c.ITEM_ID: "film.id",
    c.VALUE: "stars",
    c.EXPERIMENT_ID: "experiment",
    c.VARIANT: "group",
}


def _check_known(table: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    for name in table:
        if name not in known:
            raise InvalidInputError(
                f"{where} has an unknown key {name!r}{_suggestion(name, known)} "
                f"It accepts {', '.join(known)}."
            )


def _event_type(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise InvalidInputError(
            f"{where} needs a type; it accepts {', '.join(EVENT_TYPES)}, or ignore = true."
        )
    if value not in EVENT_TYPES:
        raise InvalidInputError(
            f"{where} type is {value!r}{_suggestion(value, EVENT_TYPES)} "
            f"It accepts {', '.join(EVENT_TYPES)}."
        )
    return value


def _suggestion(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else "."


def _path(value: Any, where: str) -> Path:
    parts = tuple(value.split(".")) if isinstance(value, str) else ()
    if not parts or not all(parts):
        raise InvalidInputError(
            f"{where} is {value!r}; it accepts a path into the event's properties, "
            'such as "film.id".'
        )
    return parts


def _scale(entry: Mapping[str, Any], where: str) -> float:
    if "scale" not in entry:
        return 1.0
    scale = entry["scale"]
    is_number = isinstance(scale, (int, float)) and not isinstance(scale, bool)
    if not is_number or not math.isfinite(scale) or scale == 0:
        raise InvalidInputError(
            f"{where} scale is {scale!r}; it accepts a number to multiply the value by, "
            "such as 1000 for seconds to milliseconds."
        )
    if c.VALUE not in entry:
        raise InvalidInputError(f"{where} has a scale but no value to apply it to.")
    return float(scale)


def _constants(table: Any, where: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields and the properties that are the same for every event."""
    if not isinstance(table, dict):
        raise InvalidInputError(f'{where} must be a table, such as {{ placement = "home" }}.')
    fields: dict[str, Any] = {}
    added: dict[str, Any] = {}
    for name, value in table.items():
        is_scalar = isinstance(value, (str, int, float)) and not isinstance(value, bool)
        if not is_scalar or value == "" or (isinstance(value, float) and not math.isfinite(value)):
            raise InvalidInputError(f"{where}: {name} is {value!r}; it accepts a text or a number.")
        if name in _NEVER_SET:
            raise InvalidInputError(f"{where}: {name} differs from event to event.")
        (fields if name in MAPPED_FIELDS else added)[name] = value
    return fields, added
