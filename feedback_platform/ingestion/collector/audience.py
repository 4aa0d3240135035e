"""Whoever wants to hear at once of what users did: of single events, when they are durable.

The collector hands over what it has and interprets nothing, since it has little time
for each. Events that say nothing of an item are passed over by their names. What comes in
batches faster than any product's users act is an import, and passed over as well.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson

from feedback_platform.events import columns as c
from feedback_platform.events.received import Format
from feedback_platform.events.translation.mapping import EventMapping
from feedback_platform.ingestion.collector.segment_messages import (
    ALIAS,
    TRACK,
    fault_of,
    is_sound,
)

# A larger one than a click, a rating or an order is.
MAX_LINE_BYTES: Final = 8 * 1024
# A line up to here is kept as it is: leaving out what is not needed would cost more than it takes.
_SHORT_LINE_BYTES: Final = 1024
# Of a process; of batches fewer, since servers and imports send those, and pages single events.
MAX_EVENTS_PER_SECOND: Final = 5_000
MAX_BATCHED_PER_SECOND: Final = 2_000
_MOST_NAMES: Final = 4096
_DEVICE: Final = "anonymousId"
# Messages that say whose a device is, and where they name it.
_DEVICES: Final = {"identify": _DEVICE, ALIAS: "previousId"}
_LINKS: Final = frozenset(_DEVICES)
# What is needed to know what a message says, and when it was said. The context is not.
_OF_SEGMENT: Final = (
    "event",
    "messageId",
    "userId",
    "anonymousId",
    "timestamp",
    "originalTimestamp",
    "sentAt",
    "properties",
)
_OF_CLOUDEVENT: Final = ("type", "source", "id", "time", "subject", "data")


class Accepted(NamedTuple):
    """An event that the lake has.

    Attributes:
        user_id: as the sender knows the user; empty where it does not.
        anonymous_id: of the device or browser; empty where none is named.
        line: a received line with what says what happened; empty where only the user and the device
            matter, since they were told to belong together.
    """

    user_id: str
    anonymous_id: str
    line: bytes


Listener = Callable[[Sequence[Accepted]], None]


class Audience:
    """Chooses what a listener is told, and tells it.

    Attributes:
        passed_over: how many events came too fast to be told of.
    """

    def __init__(
        self,
        listener: Listener,
        mapping: EventMapping,
        event_types: Collection[str],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare to choose.

        Args:
            listener: it must be quick, and never fail.
            mapping: what the names of events mean.
            event_types: the canonical types that the listener wants to hear of.
            clock: seconds.
        """
        self.tell = listener
        self._mapping = mapping
        self._event_types = frozenset(event_types)
        self._clock = clock
        # Names are the senders' own, so there may be any number of them.
        self._wanted: dict[str, bool] = {}
        self._second = 0.0
        self._chosen = 0
        self.passed_over = 0

    def of_single(
        self, message: dict[str, Any], line: bytes, received_at: str, *, kind: str
    ) -> list[Accepted]:
        """Return what is to be told of a sound message that came alone, when it is durable.

        Args:
            message: as it was decoded.
            line: its received line, with its newline.
            received_at: as the line says it.
            kind: its type.
        """
        if kind == TRACK:
            if not self._wants(message["event"]):
                return []
        elif kind not in _LINKS:
            return []
        if not self._room(MAX_EVENTS_PER_SECOND):
            self.passed_over += 1
            return []
        if kind == TRACK and len(line) <= _SHORT_LINE_BYTES:
            user, device = _text(message.get("userId")), _text(message.get(_DEVICE))
            chosen = [Accepted(user, device, line[:-1])]
        else:
            chosen = _of_segment(message, kind, received_at, None)
        self._chosen += len(chosen)
        return chosen

    def of_batch(
        self, messages: Sequence[Any], received_at: str, sent_at: str | None
    ) -> list[Accepted]:
        """Return what is to be told of the messages of a batch when they are durable.

        Args:
            messages: as they were decoded; faulty ones are passed over.
            received_at: as a received line says it.
            sent_at: of the batch, for messages that do not say it.
        """
        chosen: list[Accepted] = []
        if not self._room(MAX_BATCHED_PER_SECOND):
            self.passed_over += len(messages)
            return chosen
        for message in messages:
            if type(message) is not dict:
                continue
            kind = message.get("type")
            if kind == TRACK:
                name = message.get("event")
                if type(name) is not str or not self._wants(name):
                    continue
            elif type(kind) is not str or kind not in _LINKS:
                continue
            if is_sound(message, kind) or fault_of(message, None) is None:
                chosen += _of_segment(message, kind, received_at, sent_at)
        return self._counted(chosen)

    def of_cloudevents(
        self, events: Sequence[Mapping[str, Any]], received_at: str
    ) -> list[Accepted]:
        """Return what is to be told of some sound events when they are durable."""
        chosen: list[Accepted] = []
        if not self._room(MAX_BATCHED_PER_SECOND):
            self.passed_over += len(events)
            return chosen
        for event in events:
            name, data = event["type"], event.get("data")
            is_wanted = self._wants(name) or self._wants(name.rpartition(".")[2])
            if is_wanted and type(data) is dict:
                user, device = _text(data.get(c.USER_ID)), _text(data.get(c.ANONYMOUS_ID))
                message = {name: event[name] for name in _OF_CLOUDEVENT if name in event}
                line = _line(Format.CLOUDEVENT, message, received_at, None)
                if (user or device) and line:
                    chosen.append(Accepted(user, device, line))
        return self._counted(chosen)

    def _wants(self, name: str) -> bool:
        wanted = self._wanted.get(name)
        if wanted is None:
            rule = self._mapping.rule_for(name)
            wanted = rule is not None and rule.event_type in self._event_types
            if len(self._wanted) >= _MOST_NAMES:
                self._wanted.clear()
            self._wanted[name] = wanted
        return wanted

    def _room(self, most: int) -> int:
        """Return how many more may be told of in this second."""
        now = self._clock()
        if now - self._second >= 1.0:
            self._second, self._chosen = now, 0
        return max(0, most - self._chosen)

    def _counted(self, chosen: list[Accepted]) -> list[Accepted]:
        """Count what was chosen; return as many as there is room for, the newest of them."""
        excess = len(chosen) - self._room(MAX_BATCHED_PER_SECOND)
        if excess > 0:
            self.passed_over += excess
            del chosen[:excess]
        self._chosen += len(chosen)
        return chosen


def _of_segment(
    message: dict[str, Any], kind: str, received_at: str, sent_at: str | None
) -> list[Accepted]:
    user, device = _text(message.get("userId")), _text(message.get(_DEVICES.get(kind, _DEVICE)))
    if kind in _LINKS:
        return [Accepted(user, device, b"")] if user and device else []
    told = {name: message[name] for name in _OF_SEGMENT if name in message}
    line = _line(Format.SEGMENT, {"type": kind, **told}, received_at, told.get("sentAt") or sent_at)
    return [Accepted(user, device, line)] if line else []


def _line(form: Format, message: Mapping[str, Any], received_at: str, sent_at: Any) -> bytes:
    """Return a received line; nothing where it cannot be written, or is too long."""
    facts = {"format": form, c.RECEIVED_AT: received_at}
    if sent_at is not None:
        facts[c.SENT_AT] = sent_at
    try:
        line: bytes = orjson.dumps({**facts, "message": message})
    except TypeError:
        # It lies too deep.
        return b""
    return line if len(line) <= MAX_LINE_BYTES else b""


def _text(value: Any) -> str:
    """Return an identity as cleaning reads it; empty for none."""
    if isinstance(value, str):
        return value
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return str(value) if is_number else ""
