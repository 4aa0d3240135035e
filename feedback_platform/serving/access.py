"""Whose data a request may touch: a user's own token opens that user's, an API key everybody's."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from typing import Final

from starlette.datastructures import Headers

from feedback_platform.errors import PermanentError
from feedback_platform.serving.api_keys import ApiKeys
from feedback_platform.serving.user_tokens import TokenRefusedError, UserTokens

_UNAUTHORISED: Final = 401
_FORBIDDEN: Final = 403
_CHALLENGE: Final = ((b"www-authenticate", b'Bearer realm="users"'),)


class AccessDeniedError(PermanentError):
    """A request that may not do what it asks for.

    Attributes:
        status: of HTTP: 401 where nobody known asks, 403 where somebody else than may does.
        headers: further ones of the answer.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.headers = _CHALLENGE if status == _UNAUTHORISED else ()

    @property
    def content(self) -> dict[str, str]:
        """The body of the answer."""
        code = "unauthorized" if self.status == _UNAUTHORISED else "forbidden"
        return {"code": code, "message": str(self)}


class Access:
    """Checks who asks. Where neither secrets nor keys are set, everybody on this machine may ask.

    Where only one kind is set, only that kind opens anything.
    """

    def __init__(self, api_keys: Mapping[str, str], user_token_secrets: Sequence[str]) -> None:
        self._administrators = ApiKeys(api_keys) if api_keys else None
        self._tokens = UserTokens(user_token_secrets)

    @property
    def is_open(self) -> bool:
        """Whether nobody is asked who he is."""
        return self._administrators is None and not self._tokens.are_known

    def check(self, headers: Mapping[bytes, bytes], user_id: str) -> None:
        """Let the user and administrators pass.

        Args:
            headers: of the request, by lower-case name.
            user_id: whose data it is about, decoded.

        Raises:
            AccessDeniedError: the request comes from somebody else.
        """
        if self.is_open or self._is_administrator(headers):
            return
        known = self._user(headers).encode(errors="surrogatepass")
        if not hmac.compare_digest(known, user_id.encode(errors="surrogatepass")):
            raise AccessDeniedError(_FORBIDDEN, "The token is another user's.")

    def check_administrator(self, headers: Mapping[bytes, bytes]) -> None:
        """Let administrators pass.

        Raises:
            AccessDeniedError: the request comes from somebody else.
        """
        if self.is_open or self._is_administrator(headers):
            return
        self._user(headers)
        raise AccessDeniedError(_FORBIDDEN, "An administrator's API key is needed, not a user's.")

    def _is_administrator(self, headers: Mapping[bytes, bytes]) -> bool:
        if self._administrators is None:
            return False
        return self._administrators.admit(Headers(raw=list(headers.items())))

    def _user(self, headers: Mapping[bytes, bytes]) -> str:
        scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
        if not self._tokens.are_known:
            raise AccessDeniedError(_UNAUTHORISED, "An administrator's API key is needed.")
        if scheme.lower() != b"bearer" or not token.strip():
            text = "The user's token is needed, as Bearer authorization."
            raise AccessDeniedError(_UNAUTHORISED, text)
        try:
            return self._tokens.user_of(token.strip())
        except TokenRefusedError as refused:
            raise AccessDeniedError(_UNAUTHORISED, str(refused)) from refused
