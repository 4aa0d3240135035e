"""Who was erased, and when: what keeps them from coming back.

An identity is kept as its HMAC-SHA256 with a random key of this lake. So the list names nobody to
whoever has it without the key, and a list of one lake says nothing about another. Whoever reads the
whole lake has the key, too, and can ask of an identity that they know already whether it was
erased; what was never guessed stays unknown.

Nothing is ever taken away. Each attempt at a request adds an object of its own, named by its
content, and what has come together is merged into one now and then, so that cleaning reads few. As
no object ever gets another content, a merge takes away only what it has read.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from feedback_platform.errors import LakeObjectExistsError, LakeObjectMissingError
from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake

# How the layers call somebody of whom only a device is known.
ANONYMOUS: Final = "anonymous:"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class IdentityKind(StrEnum):
    """What an id stands for; the same text may be a user and a device."""

    USER = "user"
    DEVICE = "device"


@dataclass(frozen=True)
class Identity:
    """A known user, or a device of somebody not known."""

    kind: IdentityKind
    id: str


@dataclass(frozen=True)
class Tombstones:
    """Every identity that was ever erased.

    Attributes:
        key: of the digests.
        instants: digest → what happened up to this instant is erased; microseconds since 1970.
    """

    key: bytes = field(default=b"", repr=False)
    instants: Mapping[str, int] = field(default_factory=dict, repr=False)
    _asked: dict[tuple[IdentityKind, str], int | None] = field(
        default_factory=dict, repr=False, compare=False
    )

    def __bool__(self) -> bool:
        """Return whether anybody was erased."""
        return bool(self.instants)

    def instant_of(self, kind: IdentityKind, name: str) -> int | None:
        """Return up to when an identity is erased, in microseconds since 1970; None for never.

        Who names a user as the layers call a device means the device: they cannot be told apart
        there, so neither would leave without the other.
        """
        asked = (kind, name)
        if asked not in self._asked:
            if kind is IdentityKind.USER and name.startswith(ANONYMOUS):
                asked_for = Identity(IdentityKind.DEVICE, name.removeprefix(ANONYMOUS))
            else:
                asked_for = Identity(kind, name)
            self._asked[asked] = self.instants.get(_digest(self.key, asked_for))
        return self._asked[asked]


NOBODY: Final = Tombstones()


def microseconds(instant: datetime) -> int:
    """Return an instant as microseconds since 1970."""
    return (instant - _EPOCH) // _MICROSECOND


def load_tombstones(lake: Lake) -> Tombstones:
    """Return who was erased so far."""
    while listed := lake.list_keys(keys.TOMBSTONES):
        # What is gone meanwhile was merged into one that is there now.
        with contextlib.suppress(LakeObjectMissingError):
            return Tombstones(_key(lake), _merged(lake, listed))
    return NOBODY


def add_tombstones(
    lake: Lake, request_id: str, identities: Iterable[Identity], instant: datetime
) -> None:
    """Keep identities from coming back, from now on and for ever.

    A request that is carried out again may know of more or fewer than at first: none is lost.

    Args:
        lake: where the list is kept.
        request_id: what it is done for.
        identities: who.
        instant: UTC; what happened later is taken again.
    """
    secret = _key(lake)
    instants = {_digest(secret, identity): microseconds(instant) for identity in identities}
    _put(lake, request_id, instants)


def merge_tombstones(lake: Lake) -> None:
    """Put all objects of the list into one; whoever reads meanwhile misses nobody."""
    listed = lake.list_keys(keys.TOMBSTONES)
    if len(listed) > 1:
        merged = _put(lake, "merged", _merged(lake, listed))
        lake.delete([key for key in listed if key != merged])


def erased_through(lake: Lake) -> int:
    """Return the batch that marks the newest erasure of which the lake holds nothing any more.

    What was built from an earlier lake has to be built anew. 0 before anybody was erased.
    """
    stored = lake.find(keys.ERASED_THROUGH)
    return int(json.loads(stored)["sequence"]) if stored else 0


def erased_requests(lake: Lake) -> frozenset[str]:
    """Return the requests that the newest erasure carried out."""
    stored = lake.find(keys.ERASED_THROUGH)
    return frozenset(json.loads(stored)["requests"] if stored else ())


def record_erased_through(lake: Lake, sequence: int, request_ids: Iterable[str]) -> None:
    """Record that requests have gone through everything that a warehouse is built from."""
    content = {"sequence": sequence, "requests": sorted(request_ids)}
    lake.put(keys.ERASED_THROUGH, json.dumps(content).encode(), mode="overwrite")


def _merged(lake: Lake, listed: list[str]) -> dict[str, int]:
    instants: dict[str, int] = {}
    for key in listed:
        for digest, instant in json.loads(lake.get(key)).items():
            instants[digest] = max(instant, instants.get(digest, instant))
    return instants


def _put(lake: Lake, name: str, instants: Mapping[str, int]) -> str:
    """Store a part of the list, and return its key; who writes the same writes it there, too."""
    content = _written(instants)
    key = keys.tombstones(f"{name}-{hashlib.sha256(content).hexdigest()[:16]}")
    lake.put(key, content, mode="overwrite")
    return key


def _written(instants: Mapping[str, int]) -> bytes:
    return json.dumps(instants, sort_keys=True).encode()


def _key(lake: Lake) -> bytes:
    """Return the key of this lake; the first who asks makes it."""
    stored = lake.find(keys.TOMBSTONE_KEY)
    if stored is None:
        with contextlib.suppress(LakeObjectExistsError):
            made = secrets.token_bytes(32).hex().encode()
            lake.put(keys.TOMBSTONE_KEY, made, mode="create")
        stored = lake.get(keys.TOMBSTONE_KEY)
    return bytes.fromhex(stored.decode())


def _digest(key: bytes, identity: Identity) -> str:
    return hmac.digest(key, f"{identity.kind}\0{identity.id}".encode(), "sha256").hex()
