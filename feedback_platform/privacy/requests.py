"""Requests to erase users: recorded in the lake at once, carried out by a job, gone afterwards.

A request names people, so it lies in the lake alone, never in a run's configuration or log, and is
deleted when it is done. What remains is a report without ids.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from feedback_platform.errors import InvalidInputError, LakeObjectMissingError
from feedback_platform.events import columns as c
from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform.lake.tombstones import ANONYMOUS, Identity, IdentityKind

LONGEST_ID: Final = 1_000


@dataclass(frozen=True)
class ErasureRequest:
    """Who is to be erased.

    Attributes:
        request_id: by which it is known; it names nobody.
        requested_at: UTC; what happened up to here is erased.
        users: known users.
        devices: devices of somebody not known; those that were found to be the users' among them.
        is_resolved: whether these are all of them, and nobody else's among them.
    """

    request_id: str
    requested_at: datetime
    users: tuple[str, ...] = field(repr=False)
    devices: tuple[str, ...] = field(default=(), repr=False)
    is_resolved: bool = False

    @property
    def identities(self) -> list[Identity]:
        """Everything that is erased."""
        users = [Identity(IdentityKind.USER, name) for name in self.users]
        return users + [Identity(IdentityKind.DEVICE, name) for name in self.devices]

    @property
    def layer_users(self) -> frozenset[str]:
        """By which ids the layers and the models know them."""
        return frozenset([*self.users, *(f"{ANONYMOUS}{name}" for name in self.devices)])


def identity_of(user_id: str) -> Identity:
    """Return whom the layers' id of a user stands for."""
    if user_id.startswith(ANONYMOUS):
        return Identity(IdentityKind.DEVICE, user_id.removeprefix(ANONYMOUS))
    return Identity(IdentityKind.USER, user_id)


def named_fields(user_id: str) -> dict[str, str]:
    """Return the field of an event that names a user of the layers."""
    identity = identity_of(user_id)
    name = c.ANONYMOUS_ID if identity.kind is IdentityKind.DEVICE else c.USER_ID
    return {name: identity.id}


def check_user_id(user_id: str) -> None:
    """Check that a text may be a user's id.

    Raises:
        InvalidInputError: it is none.
    """
    if not identity_of(user_id).id.strip() or len(user_id) > LONGEST_ID or "\n" in user_id:
        raise InvalidInputError(
            f"{user_id[:40]!r} is no user's id: one has 1 to {LONGEST_ID} characters on one line, "
            "and is not blank."
        )


def file_request(
    lake: Lake, user_ids: Iterable[str], *, now: datetime, request_id: str | None = None
) -> ErasureRequest:
    """Record that users are to be erased; once this returns, they will be.

    Args:
        lake: where.
        user_ids: as senders call them, or `anonymous:` and a device.
        now: UTC; what they do later is a new relationship.
        request_id: one that names nobody, of letters, digits and dashes; a new one when left out.

    Raises:
        InvalidInputError: there is nobody to erase, or an id is none.
        LakeObjectExistsError: another request of this id is pending.
        LakeUnavailableError: the store failed; the request may be there all the same.
    """
    named = dict.fromkeys(user_ids)
    if not named:
        raise InvalidInputError("Nobody is named whom to erase; give at least one user's id.")
    for name in named:
        check_user_id(name)
    identities = [identity_of(name) for name in named]
    made_id = f"{now.astimezone(UTC):%Y%m%dT%H%M%S%f}Z-{secrets.token_hex(4)}"
    request = ErasureRequest(
        request_id=request_id or made_id,
        requested_at=now.astimezone(UTC),
        users=tuple(each.id for each in identities if each.kind is IdentityKind.USER),
        devices=tuple(each.id for each in identities if each.kind is IdentityKind.DEVICE),
    )
    lake.put(keys.erasure_request(request.request_id), written_request(request), mode="create")
    return request


def pending_requests(lake: Lake, known: Collection[ErasureRequest] = ()) -> list[ErasureRequest]:
    """Return the requests that are not done, the oldest first.

    Args:
        lake: where.
        known: some that need not be read again.
    """
    by_key = {keys.erasure_request(request.request_id): request for request in known}
    found = []
    for key in lake.list_keys(keys.ERASURE_REQUESTS):
        try:
            found.append(by_key.get(key) or read_request(lake.get(key)))
        except LakeObjectMissingError:
            # Another process has just finished it.
            continue
    return sorted(found, key=lambda request: (request.requested_at, request.request_id))


def resolve_request(
    lake: Lake, request: ErasureRequest, devices: Collection[str]
) -> ErasureRequest:
    """Remember which devices are the users': once they are erased, nothing tells of it any more."""
    known = replace(request, devices=tuple(sorted(devices)), is_resolved=True)
    if known != request:
        lake.put(keys.erasure_request(request.request_id), written_request(known), mode="overwrite")
    return known


def close_request(lake: Lake, request_id: str) -> None:
    """Forget who was to be erased; the report is there already."""
    lake.delete([keys.erasure_request(request_id)])
    if lake.directory is not None:
        # What a write that was cut short left names them as well.
        for path in (lake.directory / keys.ERASURE_REQUESTS).glob(f"{request_id}.json#*"):
            path.unlink(missing_ok=True)


@dataclass(frozen=True)
class StuckRequests:
    """Requests that a proof has failed: another attempt helps once something changed.

    Attributes:
        request_ids: which.
        in_tables: whether something of them was in the warehouse or in what is published, from
            where it goes when these are built anew.
    """

    request_ids: frozenset[str] = frozenset()
    in_tables: bool = False

    @property
    def keys(self) -> frozenset[str]:
        """Where they lie while they are pending."""
        return frozenset(map(keys.erasure_request, self.request_ids))


def record_stuck(lake: Lake, requests: Iterable[ErasureRequest], *, in_tables: bool) -> None:
    """Remember requests that wait until somebody looks at what holds their users' ids."""
    names = sorted(request.request_id for request in requests)
    content = json.dumps({"requests": names, "in_tables": in_tables}).encode()
    lake.put(keys.ERASURES_STUCK, content, mode="overwrite")


def stuck_requests(lake: Lake) -> StuckRequests:
    """Return the requests that the newest proof has failed, done meanwhile or not."""
    stored = lake.find(keys.ERASURES_STUCK)
    if stored is None:
        return StuckRequests()
    content = json.loads(stored)
    return StuckRequests(frozenset(content["requests"]), content["in_tables"])


def written_request(request: ErasureRequest) -> bytes:
    """Return a request as it lies in the lake."""
    return json.dumps(asdict(request), default=datetime.isoformat).encode()


def read_request(content: bytes) -> ErasureRequest:
    """Return the request that was written."""
    stored = json.loads(content)
    return ErasureRequest(
        request_id=stored["request_id"],
        requested_at=datetime.fromisoformat(stored["requested_at"]),
        users=tuple(stored["users"]),
        devices=tuple(stored["devices"]),
        is_resolved=stored["is_resolved"],
    )
