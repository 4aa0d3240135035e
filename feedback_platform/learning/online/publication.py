"""The files of lists in the lake: those that count, and for a while those before them.

One is the champion's. Beside it may be those of other versions, which an experiment gives to some
users; one pointer names all of them, so they are exchanged together.

A reader that has mapped a file, or is about to read one that the pointer named a moment ago, has an
hour to find it; then it goes. An erasure does not wait for that.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from feedback_platform.errors import InvalidInputError, TransientError
from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform.learning.online.array_file import ArrayFile
from feedback_platform.learning.online.rewriting import users_in, write_without_users

_log = logging.getLogger(__name__)

# Whoever looks for a new file does so within seconds, and copies it within minutes.
KEPT: Final = timedelta(hours=1)
_FILE: Final = "lists"
Write = Callable[[Path], None]


@dataclass(frozen=True)
class ListsPointer:
    """Which files count.

    Attributes:
        key: of the champion's lists.
        versions: of the lists of other versions, by version.
    """

    key: str
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def keys(self) -> frozenset[str]:
        """All of them."""
        return frozenset({self.key, *self.versions.values()})

    def with_replaced(self, key: str, new: str | None) -> ListsPointer:
        """Return a pointer to another file in the place of one; to none in that of a version's."""
        if key == self.key:
            return self if new is None else replace(self, key=new)
        named = {version: new if each == key else each for version, each in self.versions.items()}
        return replace(self, versions={version: each for version, each in named.items() if each})

    def to_bytes(self) -> bytes:
        """Return what the lake keeps."""
        versions = {"versions": dict(self.versions)} if self.versions else {}
        return json.dumps({"key": self.key, **versions}).encode()


def publish_lists(
    lake: Lake, write: Write, made_at: datetime, versions: Mapping[str, Write] | None = None
) -> str:
    """Write files, make them those that count, and remove those that nobody reads any more.

    Args:
        lake: where they go.
        write: writes the champion's file at a path.
        made_at: when (UTC).
        versions: write the files of other versions; they are called one after the other. Where one
            cannot be written, a warning says so, and the champion's do not wait for it.

    Returns:
        the key of the champion's.

    Raises:
        TransientError: the store failed; what counted before does so still.
    """
    key = _stored(lake, write, made_at)
    pointer = ListsPointer(key, _stored_beside(lake, versions or {}, made_at))
    _put_pointer(lake, pointer)
    _remove_before(lake, made_at - KEPT, pointer)
    return key


def erase_from_lists(lake: Lake, user_ids: Collection[str]) -> tuple[int, int, int]:
    """Take users out of the files that count, and delete those before them that know them.

    A file that cannot be read is deleted: nobody can tell whom it knows. When that is the
    champion's, there are no lists until they are made again.

    Returns:
        how many files there were, how many changed or were deleted, and how many rows left.
    """
    pointer = pointed_lists(lake)
    looked_at = changed = removed = 0
    for key in lake.list_keys(keys.online_lists()):
        looked_at += 1
        content = lake.find(key)
        if content is None:
            continue
        is_named = pointer is not None and key in pointer.keys
        new = None
        try:
            file = ArrayFile.of(memoryview(content), key)
            known = users_in(file, user_ids)
            if not known:
                continue
            if is_named:
                made_at = keys.online_lists_made_at(key) or datetime.fromtimestamp(0, UTC)
                write = partial(write_without_users, file=file, user_ids=user_ids)
                new = _stored(lake, write, made_at)
        except InvalidInputError:
            known = 0
        if pointer is not None and is_named:
            if new is None and key == pointer.key:
                lake.delete([keys.online_lists_current()])
                pointer = None
            else:
                pointer = pointer.with_replaced(key, new)
                _put_pointer(lake, pointer)
        lake.delete([key])
        changed += 1
        removed += known
    return looked_at, changed, removed


def current_lists(lake: Lake) -> str | None:
    """Return the key of the champion's file, None where there is none."""
    pointer = pointed_lists(lake)
    return None if pointer is None else pointer.key


def pointed_lists(lake: Lake) -> ListsPointer | None:
    """Return which files count, None where there are none."""
    content = lake.find(keys.online_lists_current())
    if content is None:
        return None
    said = json.loads(content)
    versions = {str(version): str(key) for version, key in said.get("versions", {}).items()}
    return ListsPointer(str(said["key"]), versions)


def withdraw_lists(lake: Lake) -> int:
    """Remove the pointer and every file at once; return how many files there were.

    The pointer goes first: nobody is sent to a file that is gone.
    """
    lake.delete([keys.online_lists_current()])
    files = lake.list_keys(keys.online_lists())
    lake.delete(files)
    return len(files)


def local_lists(lake: Lake, key: str, directory: Path, *, beside: Collection[str] = ()) -> Path:
    """Return the path of a file of lists on this machine; one from elsewhere is copied there.

    Args:
        lake: where the file is.
        key: of the file.
        directory: for copies; those of other files are deleted.
        beside: keys of further files whose copies stay.

    Raises:
        LakeObjectMissingError: the file is gone; there is a newer one.
    """
    if lake.directory is not None:
        return lake.directory / key
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / _name(key)
    if not path.exists():
        staged = path.with_name(f"{path.name}#{os.getpid()}")
        staged.unlink(missing_ok=True)
        try:
            lake.get_file(key, staged)
            staged.replace(path)
        finally:
            staged.unlink(missing_ok=True)
    kept = {_name(each) for each in (key, *beside)}
    for other in directory.glob("*.lists"):
        if other.name not in kept:
            # Who has mapped it reads on.
            with suppress(FileNotFoundError):
                other.unlink()
    return path


def _name(key: str) -> str:
    return key.rpartition("/")[2]


def _stored(lake: Lake, write: Write, made_at: datetime) -> str:
    key = keys.online_lists_file(made_at, secrets.token_hex(4))
    with TemporaryDirectory() as directory:
        path = Path(directory) / _FILE
        write(path)
        lake.put_file(key, path)
    return key


def _stored_beside(
    lake: Lake, versions: Mapping[str, Write], made_at: datetime
) -> Mapping[str, str]:
    """Store what can be written of other versions, and return version → key."""
    found: dict[str, str] = {}
    for version, write in versions.items():
        try:
            found[version] = _stored(lake, write, made_at)
        except TransientError:
            raise
        except Exception:  # noqa: BLE001 - logged; whatever is wrong with it, others are not held up
            _log.warning("The lists of the version %s cannot be made.", version, exc_info=True)
    return found


def _put_pointer(lake: Lake, pointer: ListsPointer) -> None:
    lake.put(keys.online_lists_current(), pointer.to_bytes(), mode="overwrite")


def _remove_before(lake: Lake, instant: datetime, pointer: ListsPointer) -> None:
    files = [(key, keys.online_lists_made_at(key)) for key in lake.list_keys(keys.online_lists())]
    lake.delete(
        [key for key, at in files if key not in pointer.keys and at is not None and at < instant]
    )
