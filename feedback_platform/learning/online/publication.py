"""The files of lists in the lake: one that counts, and for a while those before it.

A reader that has mapped a file, or is about to read one that the pointer named a moment ago, has an
hour to find it; then it goes. An erasure does not wait for that.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake

# Whoever looks for a new file does so within seconds, and copies it within minutes.
KEPT: Final = timedelta(hours=1)
_FILE: Final = "lists"


def publish_lists(lake: Lake, write: Callable[[Path], None], made_at: datetime) -> str:
    """Write a file, make it the one that counts, and remove those that nobody reads any more.

    Args:
        lake: where it goes.
        write: writes the file at a path.
        made_at: when (UTC).

    Returns:
        its key.
    """
    key = keys.online_lists_file(made_at, secrets.token_hex(4))
    with TemporaryDirectory() as directory:
        path = Path(directory) / _FILE
        write(path)
        lake.put_file(key, path)
    lake.put(keys.online_lists_current(), json.dumps({"key": key}).encode(), mode="overwrite")
    _remove_before(lake, made_at - KEPT, key)
    return key


def current_lists(lake: Lake) -> str | None:
    """Return the key of the file that counts, None where there is none."""
    pointer = lake.find(keys.online_lists_current())
    return None if pointer is None else str(json.loads(pointer)["key"])


def withdraw_lists(lake: Lake) -> int:
    """Remove the pointer and every file at once; return how many files there were.

    The pointer goes first: nobody is sent to a file that is gone.
    """
    lake.delete([keys.online_lists_current()])
    files = lake.list_keys(keys.online_lists())
    lake.delete(files)
    return len(files)


def local_lists(lake: Lake, key: str, directory: Path) -> Path:
    """Return the path of a file of lists on this machine; one from elsewhere is copied there.

    Args:
        lake: where the file is.
        key: of the file.
        directory: for copies; those of other files are deleted.

    Raises:
        LakeObjectMissingError: the file is gone; there is a newer one.
    """
    if lake.directory is not None:
        return lake.directory / key
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / key.rpartition("/")[2]
    if not path.exists():
        staged = path.with_name(f"{path.name}#{os.getpid()}")
        staged.unlink(missing_ok=True)
        try:
            lake.get_file(key, staged)
            staged.replace(path)
        finally:
            staged.unlink(missing_ok=True)
    for other in directory.glob("*.lists"):
        if other.name < path.name:
            # Who has mapped it reads on.
            with suppress(FileNotFoundError):
                other.unlink()
    return path


def _remove_before(lake: Lake, instant: datetime, current: str) -> None:
    files = [(key, keys.online_lists_made_at(key)) for key in lake.list_keys(keys.online_lists())]
    old = [key for key, at in files if key != current and at is not None and at < instant]
    lake.delete(old)
