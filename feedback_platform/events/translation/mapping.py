"""What an event's name means: the names that a user mapped, before those that everybody knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from feedback_platform.events.translation.mapping_file import parse_mapping
from feedback_platform.events.translation.naming import LONGEST_NAME, folded
from feedback_platform.events.translation.rules import EventRule
from feedback_platform.events.translation.segment_names import DEFAULT_RULES
from feedback_platform.text_file import read_text_file


@dataclass(frozen=True)
class EventMapping:
    """The rules of one installation.

    Attributes:
        own: the user's rules by folded name; they win over the defaults.
    """

    own: Mapping[str, EventRule] = field(default_factory=dict)

    def rule_for(self, name: str) -> EventRule | None:
        """Return what becomes of the events of a name, or None where nobody mapped it."""
        if len(name) > LONGEST_NAME:
            return None
        key = folded(name)
        return self.own.get(key) or DEFAULT_RULES.get(key)

    def own_rule_for(self, name: str) -> EventRule | None:
        """Return what the user's file says of a name, or None where it says nothing."""
        return self.own.get(folded(name)) if self.own and len(name) <= LONGEST_NAME else None


DEFAULT_MAPPING: Final = EventMapping()


def load_mapping(path: Path | None) -> EventMapping:
    """Read and check the user's mapping file, once, at start.

    Args:
        path: of the file (`FEEDBACK_EVENT_MAPPING`), or None for the defaults alone.

    Raises:
        InvalidInputError: the file cannot be read, or an entry means nothing; the text names the
            file, the entry and what is accepted.
    """
    return read_mapping(mapping_text(path), origin=str(path))


def mapping_text(path: Path | None) -> str | None:
    """Return what the user's mapping file says, or None where there is none.

    Raises:
        InvalidInputError: the file cannot be read.
    """
    if path is None:
        return None
    return read_text_file(path, "The event mapping", "FEEDBACK_EVENT_MAPPING names a TOML file")


def read_mapping(text: str | None, *, origin: str) -> EventMapping:
    """Return the mapping that a file's text means; the defaults alone where there is none.

    Args:
        text: the file's content, or None.
        origin: its name, for the error.

    Raises:
        InvalidInputError: an entry means nothing.
    """
    return DEFAULT_MAPPING if text is None else EventMapping(parse_mapping(text, origin=origin))
