"""The flags of an installation: what they are, and how they are changed.

Many processes may read and change the flags of one store at the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import RLock
from typing import Final

from feedback_platform.adjustment.flags.definition import Flag, as_table
from feedback_platform.adjustment.flags.entries import Author, Change, Entry, digest_of, is_same
from feedback_platform.adjustment.flags.flag_set import FlagSet
from feedback_platform.adjustment.flags.log import FlagLog
from feedback_platform.errors import InvalidInputError, TransientError
from feedback_platform.lake.numbered_log import Store

_ATTEMPTS: Final = 100
# What some flags are to become; None removes one.
Wanted = Mapping[str, Flag | None]
Decision = Callable[[Mapping[str, Flag]], Wanted]


class FlagsBusyError(TransientError):
    """Others changed the flags each time that this change was about to be made."""


@dataclass(frozen=True)
class Revision:
    """One change of one flag.

    Attributes:
        revision: counts the changes of the flag, from 1.
        author: who, why and when.
        change: from what to what.
    """

    revision: int
    author: Author
    change: Change


@dataclass(frozen=True)
class Applied:
    """What applying a file did with each flag of it.

    Attributes:
        created, changed, unchanged: keys.
        kept: keys of flags that others changed or removed since, and the file did not.
    """

    created: list[str]
    changed: list[str]
    unchanged: list[str]
    kept: list[str]


class Flags:
    """Flags over an object store.

    All calls raise LakeUnavailableError where the store fails; what was known is still there then.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._log = FlagLog(store)
        self._lock = RLock()
        self._current = FlagSet()

    def refresh(self) -> FlagSet:
        """Take over what anybody changed since, and return the flags."""
        with self._lock:
            for read in self._log.new_entries():
                self._current = self._current.after(read)
            return self._current

    def history(self, key: str) -> list[Revision]:
        """Return the changes of a flag, oldest first."""
        found: list[Revision] = []
        current = FlagSet()
        for read in FlagLog(self._store).new_entries():
            before, current = current, current.after(read)
            if read.entry is None:
                continue
            revision = current.revisions.get(key, 0)
            if revision == before.revisions.get(key, 0):
                continue
            change = next(each for each in read.entry.changes if each.key == key)
            found.append(Revision(revision, read.entry.author, change))
        return found

    def change(self, decide: Decision, author: Author) -> list[Change]:
        """Decide upon the newest flags, and again as long as somebody else was quicker.

        Args:
            decide: returns what some flags are to become; those that it leaves out stay.
            author: who, why and when.

        Returns:
            What became different.

        Raises:
            FlagsBusyError: somebody else was quicker again and again.
        """
        return self._change(decide, author, {})

    def edit(self, key: str, edit: Callable[[Flag], Flag], author: Author) -> list[Change]:
        """Change one flag.

        Raises:
            InvalidInputError: there is no such flag.
        """
        return self.change(lambda flags: {key: edit(known(flags, key))}, author)

    def apply(
        self, definitions: Mapping[str, Flag], author: Author, *, is_overwriting: bool = False
    ) -> Applied:
        """Take flags over from a file.

        A flag whose definition in the file is as it was at the last time is left alone, whatever
        rules, people and experiments made of it since.

        Args:
            definitions: of the file.
            author: who, why and when.
            is_overwriting: the file counts, also where others changed a flag since.
        """
        digests = {key: digest_of(flag) for key, flag in definitions.items()}
        applied = Applied([], [], [], [])

        def decide(flags: Mapping[str, Flag]) -> Wanted:
            for group in vars(applied).values():
                group.clear()
            wanted: dict[str, Flag | None] = {}
            for key, flag in definitions.items():
                is_as_before = self._current.filed.get(key) == digests[key]
                if is_same(flags.get(key), flag):
                    applied.unchanged.append(key)
                elif is_as_before and not is_overwriting:
                    applied.kept.append(key)
                else:
                    (applied.changed if key in flags else applied.created).append(key)
                    wanted[key] = flag
            return wanted

        self._change(decide, author, digests)
        return applied

    def _change(self, decide: Decision, author: Author, filed: Mapping[str, str]) -> list[Change]:
        with self._lock:
            for _ in range(_ATTEMPTS):
                current = self.refresh()
                flags = {key: compiled.flag for key, compiled in current.flags.items()}
                changes = [
                    Change(key, _table_of(flags.get(key)), _table_of(flag))
                    for key, flag in decide(flags).items()
                    if not is_same(flags.get(key), flag)
                ]
                news = {key: each for key, each in filed.items() if current.filed.get(key) != each}
                if not changes and not news:
                    return []
                if self._log.append(Entry(author, tuple(changes), news)):
                    self.refresh()
                    return changes
        raise FlagsBusyError(f"Others changed the flags {_ATTEMPTS} times in a row; try again.")


def known(flags: Mapping[str, Flag], key: str) -> Flag:
    """Return a flag.

    Raises:
        InvalidInputError: there is none; the text names those there are.
    """
    flag = flags.get(key)
    if flag is None:
        names = ", ".join(flags) or "none yet; `feedback-platform flags apply FILE` brings them"
        raise InvalidInputError(f"There is no flag {key!r}. There are: {names}.")
    return flag


def _table_of(flag: Flag | None) -> dict[str, object] | None:
    return None if flag is None else as_table(flag)
