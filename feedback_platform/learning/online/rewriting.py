"""A file of lists without some of its users."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from feedback_platform.learning.online.array_file import ArrayFile, as_arrays, write_arrays

_LEDGERS: Final = {
    "seen": ("seen", "seen_scores"),
    "own": ("own", "own_seconds", "own_scores"),
    "shown": ("shown", "shown_seconds", "shown_clicked"),
}
_OF_CANDIDATES: Final = ("candidates", "values", "said", "likes", "cosines")


def users_in(file: ArrayFile, user_ids: Collection[str]) -> int:
    """Return how many of some users a file knows.

    Raises:
        InvalidInputError: its parts do not fit together.
    """
    return len(frozenset(user_ids).intersection(file.texts("user_ids").all()))


def write_without_users(path: Path, file: ArrayFile, user_ids: Collection[str]) -> None:
    """Write a file again as if it had never known some users.

    What the items owe to everybody stays until the lists are made again: no row of it is theirs.

    Raises:
        InvalidInputError: the file's parts do not fit together.
    """
    try:
        arrays = _without(file, frozenset(user_ids))
    except (KeyError, IndexError, ValueError) as error:
        raise file.refused(f"has users whose parts do not fit together ({error!r})") from error
    write_arrays(path, file.facts, arrays)


def _without(file: ArrayFile, gone: frozenset[str]) -> dict[str, NDArray[Any]]:
    users = file.texts("user_ids").all()
    stays = np.array([user not in gone for user in users], dtype=np.bool_)
    rows = file.array("user_rows", np.int32, (len(users),))
    arrays: dict[str, NDArray[Any]] = dict(file.arrays)
    arrays |= as_arrays("user_ids", [user for user in users if user not in gone])
    for name in ("user_keys", "user_segments"):
        arrays[name] = file.arrays[name][stays]
    for name, columns in _LEDGERS.items():
        lengths = np.diff(file.starts(f"{name}_starts", len(users), len(file.arrays[name])))
        is_kept = np.repeat(stays, lengths)
        arrays |= {column: file.arrays[column][is_kept] for column in columns}
        arrays[f"{name}_starts"] = np.concatenate([[0], np.cumsum(lengths[stays])])
    has_list = np.zeros(len(file.arrays["candidates"]), dtype=np.bool_)
    has_list[rows[stays & (rows >= 0)]] = True
    arrays |= {name: file.arrays[name][has_list] for name in _OF_CANDIDATES}
    places = (np.cumsum(has_list) - 1).astype(np.int32)
    left = rows[stays]
    arrays["user_rows"] = np.where(left >= 0, places[left], -1) if len(places) else left
    arrays["user_rows"] = arrays["user_rows"].astype(np.int32)
    return arrays
