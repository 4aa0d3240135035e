"""A table of a TOML file that knows where it stands, and refuses what it does not accept."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, Final

from feedback_platform import durations
from feedback_platform.errors import InvalidInputError

_REQUIRED: Final = object()


class Entries:
    """The entries of one table; each is asked for by name, with what it may be.

    Args:
        table: the entries.
        where: the file and the table, for errors.
        known: every name that may stand in it.
    """

    def __init__(self, table: Any, where: str, known: Collection[str]) -> None:
        self.where = where
        if not isinstance(table, dict):
            raise InvalidInputError(f"{where} is {table!r}; it accepts a table.")
        self._table: Mapping[str, Any] = table
        for name in table:
            if name not in known:
                raise self.unknown(name, known)

    def __contains__(self, name: str) -> bool:
        return name in self._table

    def text(self, name: str) -> str:
        """Return a text that is not empty."""
        value = self._found(name)
        if not isinstance(value, str) or not value.strip():
            raise self.refused(name, "a text")
        return value

    def one_of(self, name: str, accepted: Collection[str], default: Any = _REQUIRED) -> str:
        """Return one of some words."""
        value = self._found(name, default)
        if value not in accepted:
            raise self.refused(name, _listed(accepted))
        return str(value)

    def number(
        self, name: str, low: float, high: float, default: Any = _REQUIRED, *, is_open: bool = False
    ) -> float:
        """Return a number from low to high, or strictly between them."""
        value = self._found(name, default)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        is_inside = (
            is_number
            and math.isfinite(value)
            and (low < value < high if is_open else low <= value <= high)
        )
        if not is_inside:
            between = (
                f"above {low:g} and below {high:g}" if is_open else f"from {low:g} to {high:g}"
            )
            raise self.refused(name, f"a number {between}")
        return float(value)

    def count(self, name: str, low: int) -> int:
        """Return a whole number from low up."""
        value = self._found(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < low:
            raise self.refused(name, f"a whole number from {low} up")
        return value

    def duration(self, name: str) -> timedelta:
        """Return a stretch of time."""
        found = durations.duration(self._found(name))
        if found is None:
            longest = durations.written(durations.LONGEST)
            raise self.refused(name, f"{durations.ACCEPTED}, from 1 minute to {longest}")
        return found

    def value(self, name: str, default: Any = _REQUIRED) -> Any:
        """Return whatever stands there."""
        return self._found(name, default)

    def refused(self, name: str, accepted: str) -> InvalidInputError:
        """Return the error of an entry that is not what it may be."""
        return InvalidInputError(
            f"{self.where}: {name} is {self._table.get(name)!r}; it accepts {accepted}."
        )

    def unknown(self, name: str, known: Collection[str]) -> InvalidInputError:
        """Return the error of an entry that does not exist."""
        close = get_close_matches(name, list(known), n=1)
        suggestion = f"; did you mean {close[0]!r}?" if close else "."
        return InvalidInputError(
            f"{self.where} has an unknown key {name!r}{suggestion} It accepts {', '.join(known)}."
        )

    def _found(self, name: str, default: Any = _REQUIRED) -> Any:
        if name in self._table:
            return self._table[name]
        if default is _REQUIRED:
            raise InvalidInputError(f"{self.where} lacks {name}.")
        return default


def _listed(words: Collection[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last
