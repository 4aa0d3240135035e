"""The log of the flags' changes, see `lake.numbered_log`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from feedback_platform.adjustment.flags import entries
from feedback_platform.adjustment.flags.entries import Entry
from feedback_platform.errors import InvalidInputError
from feedback_platform.lake import keys
from feedback_platform.lake.numbered_log import NumberedLog, Store

_DAMAGES: Final = (ValueError, TypeError, KeyError, AttributeError, InvalidInputError)


class Read(NamedTuple):
    """An entry that was read.

    Attributes:
        position: its number.
        entry: None for one that is damaged.
        problem: what is wrong with that.
    """

    position: int
    entry: Entry | None
    problem: str = ""


class FlagLog:
    """Reads on from where it was, and appends there."""

    def __init__(self, store: Store) -> None:
        self._log = NumberedLog(store, keys.FLAGS, keys.flag_entry, keys.flag_position)

    def new_entries(self) -> Iterator[Read]:
        """Give the entries since the last call, in order; one look where there are none.

        Raises:
            LakeUnavailableError: the store failed; the next call goes on there.
        """
        for position, content in self._log.new_entries():
            yield _read(position, content)

    def append(self, entry: Entry) -> bool:
        """Write the next entry, and return whether nothing else was written there.

        Raises:
            LakeUnavailableError: the store failed; the entry may be there all the same.
        """
        return self._log.append(entries.to_bytes(entry))


def _read(position: int, content: bytes) -> Read:
    try:
        return Read(position, entries.from_bytes(content))
    except _DAMAGES as error:
        problem = f"{keys.flag_entry(position)} is damaged ({type(error).__name__}: {error})"
        return Read(position, None, problem)
