"""What cleaning leaves out because it is of somebody who was erased; defined once for every engine.

An event is its user's, where it names one, else its device's. What happened, or was received, up to
the erasure goes nowhere, and is counted. What happens later is a new relationship, and is taken.
A line that is no event is theirs whose id it gives under one of the names that ids have, where a
message names its user; one that cannot even be read, theirs whose id stands in it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import orjson
import polars as pl

from feedback_platform.cleaning.reading import RawObject
from feedback_platform.cleaning.received_times import received_time
from feedback_platform.cleaning.typed_columns import typed_events
from feedback_platform.events import columns as c
from feedback_platform.lake import keys
from feedback_platform.lake.tombstones import IdentityKind, Tombstones, microseconds

ALIAS: Final = "user_aliased"
PREVIOUS_ID: Final = "previous_id"
_OF_USERS: Final = frozenset({c.USER_ID, "userId", PREVIOUS_ID, "previousId"})
_OF_DEVICES: Final = frozenset({c.ANONYMOUS_ID, "anonymousId"})
_WORDS: Final = re.compile(rb"[^\s\x00-\x1f\"'{}\[\],;()<>=\\]+")


def without_erased(
    objects: list[RawObject], events: pl.DataFrame, tombstones: Tombstones
) -> tuple[list[RawObject], pl.DataFrame]:
    """Return raw objects and their events without what is erased; each object says how much was.

    Args:
        objects: as they were parsed.
        events: `typed_events` of all of them.
        tombstones: who was erased.
    """
    if not tombstones:
        return objects, events
    is_erased = erased_events(events, tombstones, happened())
    counts = events.filter(is_erased)[c.RAW_OBJECT].value_counts()
    by_object = dict(counts.iter_rows())
    spared = [
        replace(found, erased=found.erased + by_object.get(item.key, 0))
        for item in objects
        for found in [without_erased_lines(item, tombstones)]
    ]
    return spared, events.filter(~is_erased)


def erased_rows(objects: list[RawObject], tombstones: Tombstones) -> dict[str, dict[int, int]]:
    """Return for each raw object the lines that are erased, and how many rows each has.

    The events of a line are of one message: it goes whole.
    """
    events = typed_events([item.texts for item in objects])
    place = [c.RAW_OBJECT, c.RAW_ROW]
    chosen = events.filter(typed_erased(events, tombstones)).select(place).unique()
    counts = events.join(chosen, on=place, how="semi").group_by(place).len()
    found: dict[str, dict[int, int]] = {item.key: {} for item in objects}
    for key, row, count in counts.sort(place).iter_rows():
        found[key][row] = count
    for item in objects:
        spared = without_erased_lines(item, tombstones)
        kept = {line.row for line in spared.refused} | set(spared.unreadable_rows)
        gone = {line.row for line in item.refused} | set(item.unreadable_rows)
        found[item.key] |= dict.fromkeys(sorted(gone - kept), 1)
    return found


def typed_erased(events: pl.DataFrame, tombstones: Tombstones) -> pl.Series:
    """Return which of `typed_events` are erased."""
    return erased_events(events, tombstones, happened())


def erased_events(events: pl.DataFrame, tombstones: Tombstones, happened: pl.Expr) -> pl.Series:
    """Return which events are erased.

    Args:
        events: columns user_id, anonymous_id, event_type, properties, and those of `happened`.
        tombstones: who was erased.
        happened: when each happened or was received, whichever is earlier.
    """
    if not tombstones:
        return pl.repeat(value=False, n=events.height, eager=True)
    user = pl.col(c.USER_ID)
    named = events.select(
        user,
        pl.when(user.is_null()).then(pl.col(c.ANONYMOUS_ID)).alias(c.ANONYMOUS_ID),
        # An alias that names an erased user as the previous one goes with them, whoever sent it.
        previous_id().alias(PREVIOUS_ID),
        happened.dt.epoch("us").alias("happened"),
    )
    until = pl.DataFrame(
        [
            _instants(named[c.USER_ID], tombstones, IdentityKind.USER),
            _instants(named[c.ANONYMOUS_ID], tombstones, IdentityKind.DEVICE),
            _instants(named[PREVIOUS_ID], tombstones, IdentityKind.USER),
        ]
    ).select(pl.max_horizontal(pl.all()).alias("until"))["until"]
    return (named["happened"] <= until).fill_null(value=False)


def previous_id() -> pl.Expr:
    """What an alias hands over; null for other events, whose properties are not even read."""
    of_aliases = pl.when(pl.col(c.EVENT_TYPE) == ALIAS).then(pl.col(c.PROPERTIES))
    return of_aliases.str.json_path_match(f"$.{PREVIOUS_ID}")


def without_erased_lines(item: RawObject, tombstones: Tombstones) -> RawObject:
    """Return a raw object without the erased ones among its lines that are no events."""
    if not tombstones or not (item.refused or item.unreadable_rows):
        return item
    hour = keys.hour_of(item.key)
    refused = [
        line
        for line in item.refused
        if not names_erased(item.line(line.row), received_time(line.received_at, hour), tombstones)
    ]
    unreadable = [
        row for row in item.unreadable_rows if not names_erased(item.line(row), hour, tombstones)
    ]
    erased = (len(item.refused) - len(refused)) + (len(item.unreadable_rows) - len(unreadable))
    return replace(item, refused=refused, unreadable_rows=unreadable, erased=item.erased + erased)


def names_erased(line: bytes, received_at: datetime, tombstones: Tombstones) -> bool:
    """Return whether a line that is no event is of somebody who was erased.

    Args:
        line: its bytes.
        received_at: UTC.
        tombstones: who was erased.
    """
    at = microseconds(received_at)
    users, devices = named_by(line)
    named = [(IdentityKind.USER, name) for name in users] or [
        (IdentityKind.DEVICE, name) for name in devices
    ]
    return any(at <= (tombstones.instant_of(kind, name) or -1) for kind, name in named) or any(
        at <= (tombstones.instant_of(kind, word) or -1)
        for word in _words(line, is_named=bool(named))
        for kind in IdentityKind
    )


def happened() -> pl.Expr:
    """Return when a typed event happened by the platform's clock; the rules correct it likewise."""
    received, sent, occurred = (pl.col(n) for n in (c.RECEIVED_AT, c.SENT_AT, c.OCCURRED_AT))
    corrected = pl.when(sent.is_not_null()).then(received - (sent - occurred)).otherwise(occurred)
    return pl.min_horizontal(corrected, received)


def _instants(names: pl.Series, tombstones: Tombstones, kind: IdentityKind) -> pl.Series:
    known = {
        name: instant
        for name in names.drop_nulls().unique()
        if (instant := tombstones.instant_of(kind, name)) is not None
    }
    return names.replace_strict(known, default=None, return_dtype=pl.Int64).alias(
        f"{kind} {names.name}"
    )


def named_by(line: bytes) -> tuple[list[str], list[str]]:
    """Return the users and the devices that a line of JSON is of.

    They stand where a message names its user: at the shallowest level that names any. What is
    further in, such as in properties, is what that user said of others.
    """
    try:
        level: list[Any] = [orjson.loads(line)]
    except orjson.JSONDecodeError:
        return [], []
    while level:
        objects = [value for value in level if isinstance(value, dict)]
        names = [pair for value in objects for pair in _names_in(value)]
        users = [str(value) for name, value in names if name in _OF_USERS]
        devices = [str(value) for name, value in names if name in _OF_DEVICES]
        if users or devices:
            return users, devices
        lists = [value for value in level if isinstance(value, list)]
        level = [inner for value in objects for inner in value.values()]
        level += [inner for value in lists for inner in value]
    return [], []


def _names_in(message: dict[str, Any]) -> Iterator[tuple[str, str | int]]:
    """Yield the fields of a message that name somebody, with what an alias hands over."""
    known = message
    properties = message.get(c.PROPERTIES)
    if message.get(c.EVENT_TYPE) == ALIAS and isinstance(properties, dict):
        known = {PREVIOUS_ID: properties.get(PREVIOUS_ID), **message}
    for name, value in known.items():
        if name in _OF_USERS | _OF_DEVICES and isinstance(value, str | int) and value != "":
            yield name, value


def _words(line: bytes, *, is_named: bool) -> Iterator[str]:
    """Return what may be an id in a line that does not say so, the bytes that it carries included.

    Those of Protobuf are among them: what comes before a text there, its length, is no letter.
    """
    if is_named:
        return
    texts = [line]
    try:
        parsed = orjson.loads(line)
        carried = parsed.get("bytes") if isinstance(parsed, dict) else None
        texts = [base64.b64decode(carried)] if isinstance(carried, str) else []
    except (orjson.JSONDecodeError, ValueError):
        pass
    for text in texts:
        for found in _WORDS.finditer(text):
            word = found[0].decode(errors="replace")
            yield word
            # `user_id=ada`, `user:ada`: the id is the rest of the word.
            yield word.rpartition(":")[2]
