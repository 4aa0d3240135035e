"""The users of a file of lists: what each gave feedback on, was shown, and may be listed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feedback_platform.learning.online.array_file import ArrayFile, Texts


@dataclass(frozen=True, eq=False)
class Candidates:
    """What the model found for a user, the best first.

    Attributes:
        items: indexes.
        values: what the model says of each.
        said: (n x width), the ranker's features that depend on the sources alone.
        likes, cosines: (n x count), the likes that speak for each, -1 for none, and how near.
    """

    items: NDArray[np.int32]
    values: NDArray[np.float64]
    said: NDArray[np.float32]
    likes: NDArray[np.int32]
    cosines: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Person:
    """What is known of one user.

    Attributes:
        seen, seen_scores: all items with feedback, sorted, and their scores.
        own, own_seconds, own_scores: those that the ranker knows of, the newest last.
        shown, shown_seconds, shown_clicked: impressions of the last days, the newest last.
        segment: index of the user's segment, -1 for none.
        candidates: None of a user that the model has not met.
    """

    seen: NDArray[np.int32]
    seen_scores: NDArray[np.float32]
    own: NDArray[np.int32]
    own_seconds: NDArray[np.int64]
    own_scores: NDArray[np.float64]
    shown: NDArray[np.int32]
    shown_seconds: NDArray[np.int64]
    shown_clicked: NDArray[np.uint8]
    segment: int
    candidates: Candidates | None


_NONE = np.empty(0, np.int32)
STRANGER = Person(
    seen=_NONE,
    seen_scores=np.empty(0, np.float32),
    own=_NONE,
    own_seconds=np.empty(0, np.int64),
    own_scores=np.empty(0, np.float64),
    shown=_NONE,
    shown_seconds=np.empty(0, np.int64),
    shown_clicked=np.empty(0, np.uint8),
    segment=-1,
    candidates=None,
)


@dataclass(frozen=True, eq=False)
class People:
    """All users, in the order of their keys.

    Attributes:
        user_ids: who.
        keys: sorted, `keys_of` each id.
        rows: where the candidates of each are, -1 for none.
        segments: index of each one's segment, -1 for none.
        seen, own, shown: what a `Person` has of them, of everybody.
        candidates: of everybody, (met x size).
    """

    user_ids: Texts
    keys: NDArray[np.uint64]
    rows: NDArray[np.int32]
    segments: NDArray[np.int32]
    seen_starts: NDArray[np.int64]
    seen: tuple[NDArray[np.int32], NDArray[np.float32]]
    own_starts: NDArray[np.int64]
    own: tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float64]]
    shown_starts: NDArray[np.int64]
    shown: tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.uint8]]
    candidates: Candidates

    @classmethod
    def read(cls, file: ArrayFile, items: int, segments: int, width: int) -> People:
        """Return the users of a file.

        Args:
            file: where they are.
            items, segments: how many there are.
            width: of what the sources said.

        Raises:
            InvalidInputError: its parts do not fit together.
        """
        keys = file.array("user_keys", np.uint64, (None,))
        users = len(keys)
        found = file.indexes("candidates", (None, None), items, least=-1)
        likes = file.indexes("likes", (*found.shape, None), items, least=-1)
        seen, own, shown = (file.indexes(n, (None,), items) for n in ("seen", "own", "shown"))
        return cls(
            user_ids=file.texts("user_ids", users),
            keys=keys,
            rows=file.indexes("user_rows", (users,), len(found), least=-1),
            segments=file.indexes("user_segments", (users,), segments, least=-1),
            seen_starts=file.starts("seen_starts", users, len(seen)),
            seen=(seen, file.array("seen_scores", np.float32, (len(seen),))),
            own_starts=file.starts("own_starts", users, len(own)),
            own=(
                own,
                file.array("own_seconds", np.int64, (len(own),)),
                file.array("own_scores", np.float64, (len(own),)),
            ),
            shown_starts=file.starts("shown_starts", users, len(shown)),
            shown=(
                shown,
                file.array("shown_seconds", np.int64, (len(shown),)),
                file.array("shown_clicked", np.uint8, (len(shown),)),
            ),
            candidates=Candidates(
                found,
                file.array("values", np.float64, found.shape),
                file.array("said", np.float32, (*found.shape, width)),
                likes,
                file.array("cosines", np.float32, likes.shape),
            ),
        )

    def find(self, user_id: str) -> Person | None:
        """Return what is known of a user; None where nothing is."""
        (key,) = keys_of([user_id])
        row = int(self.keys.searchsorted(key))
        while row < len(self.keys) and self.keys[row] == key:
            if self.user_ids[row] == user_id:
                return self._person(row)
            row += 1
        return None

    def _person(self, row: int) -> Person:
        seen, own, shown = (
            slice(int(starts[row]), int(starts[row + 1]))
            for starts in (self.seen_starts, self.own_starts, self.shown_starts)
        )
        at = int(self.rows[row])
        return Person(
            seen=self.seen[0][seen],
            seen_scores=self.seen[1][seen],
            own=self.own[0][own],
            own_seconds=self.own[1][own],
            own_scores=self.own[2][own],
            shown=self.shown[0][shown],
            shown_seconds=self.shown[1][shown],
            shown_clicked=self.shown[2][shown],
            segment=int(self.segments[row]),
            candidates=None if at < 0 else self._candidates(at),
        )

    def _candidates(self, row: int) -> Candidates:
        every = self.candidates
        items = every.items[row]
        # Whoever has fewer has -1 at the end; most have all.
        length = len(items) if len(items) and items[-1] >= 0 else int((items >= 0).sum())
        return Candidates(
            items[:length],
            every.values[row, :length],
            every.said[row, :length],
            every.likes[row, :length],
            every.cosines[row, :length],
        )


def keys_of(user_ids: Sequence[str]) -> NDArray[np.uint64]:
    """Return a number of 64 bits for each user, by which they are found."""
    digests = b"".join(
        hashlib.blake2b(user_id.encode(), digest_size=8).digest() for user_id in user_ids
    )
    return np.frombuffer(digests, dtype="<u8")
