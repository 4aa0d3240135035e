"""One entry of the log: who changed which flags, when and why, from what to what."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Final

import orjson

from feedback_platform.adjustment.flags.definition import Flag, as_table
from feedback_platform.errors import InvalidInputError

_AUTHOR: Final = re.compile(r"(rule|person|experiment|file):[^\s:][^\r\n:]{0,199}")
_LONGEST_REASON: Final = 1000


@dataclass(frozen=True)
class Author:
    """Who changes something that everybody gets, and why.

    Attributes:
        by: what kind, and its name: `person:ada`, `rule:low-ctr`, `experiment:cards`, `file:…`.
        reason: a sentence.
        at: UTC.
    """

    by: str
    reason: str
    at: datetime

    def __post_init__(self) -> None:
        if not _AUTHOR.fullmatch(self.by):
            raise InvalidInputError(
                f"The author of a change is {self.by[:220]!r}; it accepts rule:, person:, "
                "experiment: or file: with a name behind it, such as person:ada."
            )
        if not self.reason.strip() or len(self.reason) > _LONGEST_REASON:
            raise InvalidInputError(
                f"Say why, in at most {_LONGEST_REASON:,} characters: it is kept in the history."
            )


@dataclass(frozen=True)
class Change:
    """What became of one flag; tables in the form of the definitions file.

    Attributes:
        key: of the flag.
        before: None for a new one.
        after: None for one that was removed.
    """

    key: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


@dataclass(frozen=True)
class Entry:
    """Changes that were made together: readers see all of them or none.

    Attributes:
        author: who, why and when.
        changes: of different flags.
        filed: the digest of each flag's definition in the file that was applied, if one was.
    """

    author: Author
    changes: tuple[Change, ...]
    filed: Mapping[str, str] = field(default_factory=dict)


def to_bytes(entry: Entry) -> bytes:
    """Return an entry as the lake keeps it."""
    author = entry.author
    record: dict[str, Any] = {
        "at": author.at.astimezone(UTC).isoformat(),
        "by": author.by,
        "reason": author.reason,
        "changes": [vars(change) for change in entry.changes],
    }
    if entry.filed:
        record["filed"] = dict(entry.filed)
    return orjson.dumps(record)


def from_bytes(content: bytes) -> Entry:
    """Return the entry that was kept.

    Raises:
        ValueError, TypeError, KeyError, AttributeError, InvalidInputError: it is damaged.
    """
    record = orjson.loads(content)
    at = datetime.fromisoformat(record["at"])
    if at.tzinfo is None:
        raise ValueError("its time has no zone")
    changes = tuple(
        Change(str(each["key"]), each["before"], each["after"]) for each in record["changes"]
    )
    filed = {str(key): str(digest) for key, digest in record.get("filed", {}).items()}
    return Entry(Author(record["by"], record["reason"], at), changes, filed)


def digest_of(flag: Flag) -> str:
    """Return what tells a definition from another."""
    return blake2b(orjson.dumps(as_table(flag)), digest_size=16).hexdigest()


def is_same(flag: Flag | None, other: Flag | None) -> bool:
    """Return whether two definitions say the same; 1 and 1.0 differ, and so does another order."""
    if flag is None or other is None:
        return flag is other
    return digest_of(flag) == digest_of(other)
