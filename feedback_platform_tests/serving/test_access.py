from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from feedback_platform.serving.access import Access, AccessDeniedError
from feedback_platform.serving.user_tokens import sign_token

SECRET = "b1f0c6a5e2d94788a3f1c0d9e8b7a6f5"  # noqa: S105 - of the tests
OPEN = Access({}, ())
WITH_SECRET = Access({}, (SECRET,))
WITH_KEYS = Access({"ada": "a-key"}, ())
WITH_BOTH = Access({"ada": "a-key"}, (SECRET,))
BY_KEY = {b"x-api-key": b"a-key"}


def bearer(user_id: str, secret: str = SECRET) -> Mapping[bytes, bytes]:
    token = sign_token(user_id, secret, now=datetime.now(UTC), valid_for=timedelta(minutes=1))
    return {b"authorization": f"Bearer {token}".encode()}


def basic(credentials: bytes) -> Mapping[bytes, bytes]:
    return {b"authorization": b"Basic " + base64.b64encode(credentials)}


def status_of(access: Access, headers: Mapping[bytes, bytes], user_id: str = "user-1") -> int:
    """Return the status of the refusal; 200 where there is none."""
    try:
        access.check(headers, user_id)
    except AccessDeniedError as denied:
        return denied.status
    return 200


def administrator_status(access: Access, headers: Mapping[bytes, bytes]) -> int:
    try:
        access.check_administrator(headers)
    except AccessDeniedError as denied:
        return denied.status
    return 200


def test_without_secrets_and_keys_everybody_may() -> None:
    assert OPEN.is_open
    assert status_of(OPEN, {}) == 200
    assert administrator_status(OPEN, {}) == 200


@pytest.mark.parametrize("access", [WITH_SECRET, WITH_BOTH])
def test_a_token_opens_its_own_user_and_nobody_else(access: Access) -> None:
    assert status_of(access, bearer("user-1")) == 200
    assert status_of(access, bearer("user-1"), "user-2") == 403
    assert status_of(access, bearer("user-1"), "USER-1") == 403
    assert status_of(access, bearer("user-1"), "user-1 ") == 403
    # The same letter in two ways is two ids.
    assert status_of(access, bearer("Ame\u0301lie"), "Am\u00e9lie") == 403
    assert status_of(access, bearer("user-1", "0" * 32)) == 401
    assert status_of(access, {}) == 401


def test_an_administrator_may_ask_for_every_user() -> None:
    for headers in (
        BY_KEY,
        {b"authorization": b"bearer a-key"},
        basic(b"a-key:"),
        basic(b":a-key"),
    ):
        assert status_of(WITH_BOTH, headers) == 200
        assert status_of(WITH_KEYS, headers) == 200
        assert administrator_status(WITH_BOTH, headers) == 200


def test_only_the_kind_that_is_set_opens_anything() -> None:
    assert status_of(WITH_SECRET, BY_KEY) == 401
    assert administrator_status(WITH_SECRET, BY_KEY) == 401
    assert status_of(WITH_KEYS, bearer("user-1")) == 401
    assert status_of(WITH_KEYS, {}) == 401


def test_a_user_is_no_administrator() -> None:
    assert administrator_status(WITH_SECRET, bearer("user-1")) == 403
    assert administrator_status(WITH_BOTH, bearer("user-1")) == 403
    assert administrator_status(WITH_BOTH, bearer("user-1", "0" * 32)) == 401
    assert administrator_status(WITH_BOTH, {}) == 401


@pytest.mark.parametrize(
    "authorization",
    [
        b"",
        b"Bearer",
        b"Bearer ",
        b"Basic ???",
        b"Negotiate x",
        b"\xff",
        b"Bearer \xff",
        b"Bearer b-key",
    ],
)
def test_other_credentials_are_those_of_nobody(authorization: bytes) -> None:
    assert status_of(WITH_BOTH, {b"authorization": authorization}) == 401
    assert administrator_status(WITH_BOTH, {b"authorization": authorization}) == 401


def test_a_refusal_says_what_is_missing() -> None:
    with pytest.raises(AccessDeniedError) as nobody:
        WITH_BOTH.check({}, "user-1")
    with pytest.raises(AccessDeniedError) as another:
        WITH_BOTH.check(bearer("user-2"), "user-1")

    assert nobody.value.content == {
        "code": "unauthorized",
        "message": "The user's token is needed, as Bearer authorization.",
    }
    assert nobody.value.headers == ((b"www-authenticate", b'Bearer realm="users"'),)
    assert another.value.content == {"code": "forbidden", "message": "The token is another user's."}
    assert another.value.headers == ()
