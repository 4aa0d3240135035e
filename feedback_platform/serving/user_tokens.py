"""Tokens of end users: signed by whoever signs users in, they say who somebody is, for a while.

A token is a JSON Web Token (RFC 7519) with the user's id as `sub`, an end (`exp`), and an HMAC of
SHA-256 that only a holder of FEEDBACK_USER_TOKEN_SECRET can make.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import jwt

from feedback_platform.errors import PermanentError

# No other: a token's own word on how it is to be checked would let it choose how not to be.
_ALGORITHM: Final = "HS256"
_MAX_BYTES: Final = 4096
# Between the clocks of whoever signs and of this server.
LEEWAY_SECONDS: Final = 10
# What a library may raise on claims that its own checks did not expect.
_UNFORESEEN: Final = (ValueError, TypeError, OverflowError, RecursionError)


class TokenRefusedError(PermanentError):
    """A token that proves nothing; the text says why, and repeats nothing of it."""


class UserTokens:
    """Checks tokens by each of some secrets: the one that signs today, and one on its way out."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = tuple(secret.encode() for secret in secrets)

    @property
    def are_known(self) -> bool:
        """Whether there is a secret to check any token by."""
        return bool(self._secrets)

    def user_of(self, token: bytes) -> str:
        """Return the user whom a token was signed for.

        Raises:
            TokenRefusedError: it is no token, not signed by a known secret, not valid at this time,
                or made for somebody else than this platform.
        """
        if len(token) > _MAX_BYTES:
            raise TokenRefusedError(f"The token is longer than {_MAX_BYTES:,} bytes.")
        for secret in self._secrets:
            try:
                return _subject(token, secret)
            except jwt.InvalidSignatureError:
                continue
            except jwt.ExpiredSignatureError as error:
                raise TokenRefusedError("The token has expired; get a new one.") from error
            except jwt.ImmatureSignatureError as error:
                text = "The token is not valid yet: its iat or nbf lies ahead."
                raise TokenRefusedError(text) from error
            except jwt.MissingRequiredClaimError as error:
                raise TokenRefusedError(f"The token has no {error.claim}.") from error
            except jwt.InvalidAudienceError as error:
                text = "The token has an aud, so it was made for somebody else."
                raise TokenRefusedError(text) from error
            except (jwt.PyJWTError, *_UNFORESEEN) as error:
                raise TokenRefusedError(f"The token is not a valid {_ALGORITHM} token.") from error
        raise TokenRefusedError("The token is not signed by a secret that is known here.")


def sign_token(user_id: str, secret: str, *, now: datetime, valid_for: timedelta) -> str:
    """Return a token for a user, as the application that signs users in makes it.

    Args:
        user_id: whose endpoints it opens.
        secret: the first of FEEDBACK_USER_TOKEN_SECRET.
        now: with a time zone.
        valid_for: how long from then.
    """
    claims = {"sub": user_id, "iat": now, "exp": now + valid_for}
    return jwt.encode(claims, secret, algorithm=_ALGORITHM)


def _subject(token: bytes, secret: bytes) -> str:
    claims = jwt.decode(
        token,
        secret,
        algorithms=[_ALGORITHM],
        leeway=LEEWAY_SECONDS,
        options={"require": ["exp", "sub"]},
    )
    subject: str = claims["sub"]
    return subject
