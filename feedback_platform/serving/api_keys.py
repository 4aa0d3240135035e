"""Who may change what: the keys of administrators, in the ways in which clients send them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterator, Mapping

from starlette.datastructures import Headers


class ApiKeys:
    """The secrets of administrators; where there are none, everybody is one."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._digests = tuple(_digest(key.encode()) for key in keys.values())

    def admit(self, headers: Headers) -> bool:
        """Return whether a request brings a key: as Basic user or password, Bearer or X-API-Key."""
        if not self._digests:
            return True
        # All pairs are compared to the end, as digests of one length: the time tells nothing.
        matches = [
            hmac.compare_digest(_digest(secret), known)
            for secret in _secrets(headers)
            for known in self._digests
        ]
        return any(matches)


def _digest(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()


def _secrets(headers: Headers) -> Iterator[bytes]:
    # Header values are bytes that Starlette hands over as Latin-1.
    if key := headers.get("x-api-key"):
        yield key.strip().encode("latin-1")
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    sent = credentials.strip().encode("latin-1")
    if scheme.lower() == "bearer":
        yield sent
    elif scheme.lower() == "basic":
        try:
            decoded = base64.b64decode(sent, validate=True)
        except binascii.Error:
            return
        # Clients for keys leave the user or the password empty, and do not agree which.
        yield from (part for part in decoded.split(b":", 1) if part)
