"""Events that have to take effect before their senders hear that they are stored.

Which they are is told by their names, once for each name: every other event costs a look into a
dictionary. What they say is understood by somebody else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import orjson

from feedback_platform.events.translation.mapping import EventMapping

# Takes received lines, and when they were received (UTC); returns when what they say counts.
Effect = Callable[[bytes, datetime], Awaitable[None]]

# Names are the senders' own, so there may be any number of them.
_MOST_NAMES: Final = 4096


class Prompt:
    """Finds such events, and has them take effect once they are durable."""

    def __init__(self, effect: Effect, mapping: EventMapping, event_types: Collection[str]) -> None:
        """Prepare to look.

        Args:
            effect: what takes them.
            mapping: what the names of events mean.
            event_types: the canonical types that they have.
        """
        self.take_effect = effect
        self._mapping = mapping
        self._event_types = frozenset(event_types)
        self._known: dict[str, bool] = {}

    def is_named(self, name: Any) -> bool:
        """Return whether events of a name are such."""
        if type(name) is not str:
            return False
        is_such = self._known.get(name)
        return self._looked_up(name) if is_such is None else is_such

    def is_among(self, messages: Iterable[Any]) -> bool:
        """Return whether any message of a batch is one, as far as its name goes."""
        known = self._known
        for message in messages:
            if type(message) is dict:
                name = message.get("event")
                if type(name) is str and known.get(name, True) and self.is_named(name):
                    return True
        return False

    def is_cloudevent(self, event: Mapping[str, Any]) -> bool:
        """Return whether a CloudEvent is one, by its type or what of it is behind a prefix."""
        name = event.get("type")
        return type(name) is str and (self.is_named(name) or self.is_named(name.rpartition(".")[2]))

    def lines_of(self, lines: bytes) -> bytes:
        """Return those of some received lines that are such; few requests come here."""
        return b"".join(line for line in lines.splitlines(keepends=True) if self._is_line(line))

    def _is_line(self, line: bytes) -> bool:
        try:
            message = orjson.loads(line).get("message")
        except orjson.JSONDecodeError:
            return False
        if type(message) is not dict:
            return False
        return self.is_named(message.get("event")) or self.is_cloudevent(message)

    def _looked_up(self, name: str) -> bool:
        rule = self._mapping.rule_for(name)
        is_such = rule is not None and rule.event_type in self._event_types
        if len(self._known) >= _MOST_NAMES:
            self._known.clear()
        self._known[name] = is_such
        return is_such
