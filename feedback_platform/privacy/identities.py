"""Which devices are the users' who are to be erased, by the platform's own rule of whose one is.

A device belongs to the first known user who was seen with it, or to whom an alias handed it over.
What nobody known did on it is theirs. A second user of the same device owns nothing of it, and
known users are never merged: an alias that names another known user hands over a device of that
name, not the user.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator, Sequence
from typing import Final

import polars as pl

from feedback_platform.cleaning.erased_events import previous_id
from feedback_platform.cleaning.quarantine import counting_batches
from feedback_platform.events import columns as c
from feedback_platform.lake.batches import manifests_after
from feedback_platform.lake.store import Lake
from feedback_platform.lake.tombstones import ANONYMOUS
from feedback_platform.privacy.requests import ErasureRequest, resolve_request

_DEVICE: Final = "device"
_DELIVERY: Final = [c.RECEIVED_AT, c.RAW_OBJECT, c.RAW_ROW]
_COLUMNS: Final = [
    c.EVENT_ID,
    c.EVENT_TYPE,
    c.USER_ID,
    c.ANONYMOUS_ID,
    c.OCCURRED_AT,
    c.PROPERTIES,
    *_DELIVERY,
]


def resolved(lake: Lake, requests: Sequence[ErasureRequest]) -> list[ErasureRequest]:
    """Add to requests the devices that are their users', and leave out those that are others'.

    Reads the clean layer twice, a few columns of it, however many requests there are.
    """
    owners = device_owners(
        lake,
        {user for request in requests for user in request.users},
        {device for request in requests for device in request.devices},
    )
    found = []
    for request in requests:
        own = {device for device, owner in owners.items() if owner in request.users}
        # An earlier attempt may have taken the signs away by which they were known.
        named = {
            device
            for device in request.devices
            # Who named the user as the layers call the device named nobody else.
            if request.is_resolved or owners.get(device) in {None, f"{ANONYMOUS}{device}"}
        }
        found.append(resolve_request(lake, request, own | named))
    return found


def device_owners(
    lake: Lake, users: Collection[str], devices: Collection[str] = ()
) -> dict[str, str]:
    """Return who owns the devices that some users were seen with, and some others.

    Args:
        lake: whose clean layer is read.
        users: known users.
        devices: others that are asked for; one that nobody known was seen with has no owner.
    """
    wanted = pl.Series(sorted(users), dtype=pl.String)
    candidates = {*devices}
    for links in _links(lake):
        candidates.update(links.filter(pl.col(c.USER_ID).is_in(wanted.implode()))[_DEVICE])
    among = pl.Series(sorted(candidates), dtype=pl.String)
    found = [links.filter(pl.col(_DEVICE).is_in(among.implode())) for links in _links(lake)]
    if not candidates or not found:
        return {}
    counting = (
        pl.concat(found)
        .sort(_DELIVERY)
        .unique([c.EVENT_ID, _DEVICE], keep="first", maintain_order=True)
    )
    owners = counting.sort(c.OCCURRED_AT, c.EVENT_ID).unique(
        _DEVICE, keep="first", maintain_order=True
    )
    return dict(owners.select(_DEVICE, c.USER_ID).iter_rows())


def _links(lake: Lake) -> Iterator[pl.DataFrame]:
    """Yield every sign that a device is a known user's; see `device_links` in dbt's macros."""
    manifests = manifests_after(lake, 0)
    newest = counting_batches(manifests)
    for manifest in manifests:
        counting = [key for key in manifest.raw_objects if newest[key] == manifest.sequence]
        for key in manifest.clean_objects if counting else []:
            rows = pl.read_parquet(io.BytesIO(lake.get(key)), columns=_COLUMNS).filter(
                pl.col(c.USER_ID).is_not_null(), pl.col(c.RAW_OBJECT).is_in(counting)
            )
            handed_over = rows.with_columns(previous_id().alias(_DEVICE))
            seen = rows.with_columns(pl.col(c.ANONYMOUS_ID).alias(_DEVICE))
            yield (
                pl.concat([seen, handed_over])
                .filter(pl.col(_DEVICE) != "")
                .select(_DEVICE, c.USER_ID, c.EVENT_ID, c.OCCURRED_AT, *_DELIVERY)
            )
