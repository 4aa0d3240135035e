from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from feedback_platform.errors import InvalidInputError, LakeObjectExistsError
from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform.lake.tombstones import Identity, IdentityKind
from feedback_platform.privacy.requests import (
    LONGEST_ID,
    close_request,
    file_request,
    pending_requests,
    resolve_request,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_request_is_pending_until_it_is_closed(lake: Lake) -> None:
    request = file_request(lake, ["ada", "anonymous:phone", "ada"], now=NOON)

    assert pending_requests(lake) == [request]
    assert (request.users, request.devices) == (("ada",), ("phone",))
    assert request.identities == [
        Identity(IdentityKind.USER, "ada"),
        Identity(IdentityKind.DEVICE, "phone"),
    ]
    assert request.layer_users == {"ada", "anonymous:phone"}
    close_request(lake, request.request_id)
    assert pending_requests(lake) == []


def test_a_closed_request_leaves_nothing_of_a_write_that_was_cut_short(lake: Lake) -> None:
    closed, other = (file_request(lake, [name], now=NOON) for name in ("ada", "bob"))
    assert lake.directory is not None
    staged = [
        lake.directory / f"{keys.erasure_request(request.request_id)}#123"
        for request in (closed, other)
    ]
    for path in staged:
        path.write_text("ada")

    close_request(lake, closed.request_id)

    assert [path.exists() for path in staged] == [False, True]


def test_neither_its_id_nor_its_text_names_anybody(lake: Lake) -> None:
    request = file_request(lake, ["ada"], now=NOON)

    assert request.request_id.startswith("20260301T120000000000Z-")
    assert "ada" not in repr(request)


def test_the_oldest_comes_first_whatever_it_is_called(lake: Lake) -> None:
    younger = file_request(lake, ["ada"], now=NOON + timedelta(hours=1), request_id="a-1")
    older = file_request(lake, ["bob"], now=NOON, request_id="b-2")

    assert pending_requests(lake) == [older, younger]
    with pytest.raises(LakeObjectExistsError):
        file_request(lake, ["eve"], now=NOON, request_id="a-1")


def test_requests_that_are_known_are_not_read_again(lake: Lake) -> None:
    known = file_request(lake, ["ada"], now=NOON)
    lake.put(keys.erasure_request(known.request_id), b"torn", mode="overwrite")
    fresh = file_request(lake, ["bob"], now=NOON + timedelta(hours=1))

    assert pending_requests(lake, [known]) == [known, fresh]
    close_request(lake, known.request_id)
    assert pending_requests(lake, [known]) == [fresh]


def test_devices_that_were_found_are_remembered(lake: Lake) -> None:
    request = file_request(lake, ["ada"], now=NOON)

    known = resolve_request(lake, request, ["phone"])

    assert pending_requests(lake) == [known]
    assert (known.devices, known.is_resolved) == (("phone",), True)


@pytest.mark.parametrize("name", ["", " ", "anonymous:", "a\nb", "x" * (LONGEST_ID + 1)])
def test_what_is_no_id_is_refused(lake: Lake, name: str) -> None:
    with pytest.raises(InvalidInputError, match="is no user's id"):
        file_request(lake, ["ada", name], now=NOON)
    assert pending_requests(lake) == []


def test_a_request_for_nobody_is_refused(lake: Lake) -> None:
    with pytest.raises(InvalidInputError, match="Nobody is named"):
        file_request(lake, [], now=NOON)
