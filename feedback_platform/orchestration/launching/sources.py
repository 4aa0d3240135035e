"""Whether the code that a process has loaded is still the code on the disk."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from feedback_platform.settings import DBT_PROJECT_DIR, PROJECT_DIR

CODE: Final = (PROJECT_DIR / "feedback_platform", DBT_PROJECT_DIR)
_SUFFIXES: Final = frozenset({".py", ".sql", ".yml", ".csv", ".toml", ".json", ".proto"})
_NOT_CODE: Final = frozenset({"__pycache__", "target", "logs", "dbt_packages"})

State = dict[str, tuple[int, int]]


def state_of(*directories: Path) -> State:
    """Return when each source file below some directories was changed (ns), and its bytes."""
    state: State = {}
    for directory in directories:
        for entry in _files(str(directory)):
            # What is deleted while it is listed is gone.
            with suppress(FileNotFoundError):
                status = entry.stat()
                state[entry.path] = status.st_mtime_ns, status.st_size
    return state


def _files(directory: str) -> Iterator[os.DirEntry[str]]:
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _NOT_CODE:
                    yield from _files(entry.path)
            elif os.path.splitext(entry.name)[1] in _SUFFIXES:  # noqa: PTH122 - of 500 names
                yield entry
