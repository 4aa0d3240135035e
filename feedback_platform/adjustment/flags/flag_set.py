"""All flags at one position of the log; a new one takes the place of an old one, whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from feedback_platform.adjustment.flags.entries import Change
from feedback_platform.adjustment.flags.evaluation import CompiledFlag
from feedback_platform.adjustment.flags.log import Read
from feedback_platform.adjustment.flags.parsing import parse_flag
from feedback_platform.errors import InvalidInputError
from feedback_platform.lake import keys


@dataclass(frozen=True)
class FlagSet:
    """The flags that are in force.

    Attributes:
        position: of the newest entry of the log in it; 0 before the first.
        changed_at: of that entry, UTC.
        flags: by key, in the order of the keys.
        filed: the digest of each flag's definition in the file that was applied last.
        revisions: how often each flag was changed, also of those that were removed.
        problems: entries, and flags of entries, that could not be read, and do not count.
    """

    position: int = 0
    changed_at: datetime | None = None
    flags: Mapping[str, CompiledFlag] = field(default_factory=dict)
    filed: Mapping[str, str] = field(default_factory=dict)
    revisions: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    def after(self, read: Read) -> FlagSet:
        """Return the flags after an entry; what is damaged in it leaves them as they were."""
        if read.entry is None:
            return replace(self, position=read.position, problems=(*self.problems, read.problem))
        flags, revisions, problems = dict(self.flags), dict(self.revisions), []
        filed = dict(read.entry.filed)
        for change in read.entry.changes:
            revision = revisions.get(change.key, 0) + 1
            try:
                _apply(change, flags, revision, keys.flag_entry(read.position))
            except InvalidInputError as error:
                problems.append(str(error))
                # What the file says did not come to be, so the next apply has to try again.
                filed.pop(change.key, None)
                continue
            revisions[change.key] = revision
        return FlagSet(
            position=read.position,
            changed_at=read.entry.author.at,
            flags=dict(sorted(flags.items())),
            filed={**self.filed, **filed},
            revisions=revisions,
            problems=(*self.problems, *problems),
        )


def _apply(change: Change, flags: dict[str, CompiledFlag], revision: int, origin: str) -> None:
    if change.after is None:
        flags.pop(change.key, None)
    else:
        flag = parse_flag(change.key, change.after, origin=origin)
        flags[change.key] = CompiledFlag(flag, revision)
