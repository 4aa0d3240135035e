from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from feedback_platform.serving.user_tokens import (
    LEEWAY_SECONDS,
    TokenRefusedError,
    UserTokens,
    sign_token,
)

SECRET = "b1f0c6a5e2d94788a3f1c0d9e8b7a6f5"  # noqa: S105 - of the tests
OLD = "0e1d2c3b4a59687786958473a2b1c0df"
TOKENS = UserTokens([SECRET])


def now() -> int:
    return int(datetime.now(UTC).timestamp())


def signed(claims: dict[str, Any], secret: str = SECRET, **header: Any) -> bytes:
    """Sign claims as RFC 7515 says, whatever they are: no library has a say in it."""
    parts = [json.dumps(each).encode() for each in ({"alg": "HS256", **header}, claims)]
    message = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    signature = hmac.digest(secret.encode(), message, hashlib.sha256)
    return message + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")


def refusal(token: bytes, tokens: UserTokens = TOKENS) -> str:
    with pytest.raises(TokenRefusedError) as refused:
        tokens.user_of(token)
    assert not token or token.decode("latin-1") not in str(refused.value)
    return str(refused.value)


def test_a_token_says_who_somebody_is() -> None:
    claims = {"sub": "user-1", "exp": now() + 60, "iat": now(), "nbf": now()}

    assert TOKENS.user_of(signed(claims)) == "user-1"


@pytest.mark.parametrize("user_id", ["anonymous:d-1", "jürgen/ö", "a.b c"])
def test_a_token_that_is_made_here_is_taken_here(user_id: str) -> None:
    token = sign_token(user_id, SECRET, now=datetime.now(UTC), valid_for=timedelta(minutes=1))

    assert TOKENS.user_of(token.encode()) == user_id


def test_a_clock_that_is_a_little_off_keeps_nobody_out() -> None:
    behind = {"sub": "user-1", "exp": now() - LEEWAY_SECONDS // 2}
    ahead = {"sub": "user-1", "exp": now() + 60, "iat": now() + LEEWAY_SECONDS // 2}

    assert TOKENS.user_of(signed(behind)) == "user-1"
    assert TOKENS.user_of(signed(ahead)) == "user-1"


def test_a_token_counts_only_in_its_time() -> None:
    expired = {"sub": "user-1", "exp": now() - 2 * LEEWAY_SECONDS}
    later = {"sub": "user-1", "exp": now() + 600, "nbf": now() + 300}
    issued_later = {"sub": "user-1", "exp": now() + 600, "iat": now() + 300}

    assert refusal(signed(expired)) == "The token has expired; get a new one."
    assert "not valid yet" in refusal(signed(later))
    assert "not valid yet" in refusal(signed(issued_later))


def test_a_token_without_an_end_or_a_user_is_none() -> None:
    assert refusal(signed({"sub": "user-1"})) == "The token has no exp."
    assert refusal(signed({"exp": now() + 60})) == "The token has no sub."


def test_a_token_for_another_audience_is_none() -> None:
    assert "aud" in refusal(signed({"sub": "user-1", "exp": now() + 60, "aud": "shop"}))


def test_the_old_secret_counts_while_it_is_named() -> None:
    token = signed({"sub": "user-1", "exp": now() + 60}, OLD)

    assert UserTokens([SECRET, OLD]).user_of(token) == "user-1"
    assert "not signed" in refusal(token)
    expired = signed({"sub": "user-1", "exp": now() - 60}, OLD)
    assert "expired" in refusal(expired, UserTokens([SECRET, OLD]))


def test_nothing_but_hs256_is_taken() -> None:
    claims = {"sub": "user-1", "exp": now() + 60}
    unsigned = jwt.encode(claims, "", algorithm="none").encode()
    stronger = jwt.encode(claims, SECRET * 2, algorithm="HS512").encode()

    assert "HS256" in refusal(unsigned)
    assert "HS256" in refusal(unsigned.rstrip(b".") + b"." + signed(claims).rpartition(b".")[2])
    assert "HS256" in refusal(stronger, UserTokens([SECRET * 2]))
    # What would have a public key taken for a secret.
    assert "HS256" in refusal(signed(claims, alg="RS256"))


@pytest.mark.parametrize(
    "token",
    [
        b"",
        b"...",
        b"a.b",
        b"\xff\xfe.\x00.\xff",
        signed({"sub": "user-1", "exp": now() + 60})[:-3],
        signed({"sub": "user-1", "exp": now() + 60}) + b".x",
        signed({"sub": 7, "exp": now() + 60}),
        signed({"sub": ["user-1"], "exp": now() + 60}),
        signed({"sub": "user-1", "exp": "soon"}),
        signed({"sub": "user-1", "exp": None}),
        signed({"sub": "user-1", "exp": float("inf")}),
        signed({"sub": "user-1", "exp": float("nan")}),
        signed({"sub": "user-1", "exp": {}}),
        signed({"sub": "user-1", "exp": now() + 60}, crit=["b64"], b64=False),
        signed({"sub": "user-1", "exp": now() + 60}, crit=["unheard-of"]),
        # A head that lies too deep to be read.
        base64.urlsafe_b64encode(b"[" * 1500) + b"." + b"e30" + b".",
        signed({"sub": "user-1", "exp": now() + 60, "more": "x" * 5000}),
    ],
)
def test_what_is_no_token_is_refused_whatever_it_is(token: bytes) -> None:
    assert refusal(token).startswith("The token ")
