"""Who may evaluate flags: those who may send events, since both are done from a browser's page."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Final

from starlette.datastructures import Headers

from feedback_platform.ingestion.collector.authorisation import WriteKeys
from feedback_platform.ingestion.collector.refusals import RequestRefusedError
from feedback_platform.serving.api_keys import ApiKeys
from feedback_platform.serving.ofrep_answers import OfrepRefusal

_STREAM: Final = b"the stream of changed flags"
_CHALLENGE: Final = ((b"www-authenticate", b'Bearer realm="write key"'),)


class ClientKeys:
    """The write keys, as OFREP sends them: as Bearer or X-API-Key; without any, all may evaluate.

    A stream is opened without headers, so a token stands in its address: it is made of the key,
    and opens nothing else.
    """

    def __init__(self, write_keys: Mapping[str, str], api_keys: Mapping[str, str]) -> None:
        self._keys = WriteKeys(write_keys)
        self._administrators = ApiKeys(api_keys) if api_keys else None
        self._tokens = {
            name: hmac.digest(secret.encode(), _STREAM, "sha256").hex()[:32]
            for name, secret in write_keys.items()
        }

    def client(self, headers: Mapping[bytes, bytes]) -> str | None:
        """Return the name of the key that a request brings; None where none is needed.

        Raises:
            OfrepRefusal: it brings none that is known (401), or an administrator's (403).
        """
        if self._keys.are_open:
            return None
        if (key := headers.get(b"x-api-key")) and (name := self._keys.name_of(key.strip())):
            return name
        try:
            return self._keys.sender(headers)
        except RequestRefusedError as refusal:
            if self._administrators and self._administrators.admit(
                Headers(raw=list(headers.items()))
            ):
                raise OfrepRefusal(
                    403,
                    "This is an administrator's key, which no page may know: send a write key.",
                ) from refusal
            raise OfrepRefusal(
                401,
                "A write key is needed to evaluate flags, as Bearer token or as X-API-Key.",
                headers=_CHALLENGE,
            ) from refusal

    def token(self, client: str | None) -> str | None:
        """Return what opens the stream for the client of a key; None where nothing is needed."""
        return None if client is None else self._tokens[client]

    def client_of(self, token: str) -> str | None:
        """Return the name of the key of which a token is made; None where none is needed.

        Raises:
            OfrepRefusal: it is made of none (401).
        """
        if self._keys.are_open:
            return None
        # All are compared to the end: the time tells nothing.
        sent = token.encode()
        matches = [
            name for name, each in self._tokens.items() if hmac.compare_digest(sent, each.encode())
        ]
        if not matches:
            text = "The stream's address comes with the bulk evaluation; its token is unknown."
            raise OfrepRefusal(401, text)
        return matches[0]
