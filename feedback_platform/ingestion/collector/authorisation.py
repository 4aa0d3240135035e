"""Who sends: write keys, compared in a time that tells nothing about them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Final

from feedback_platform.ingestion.collector.refusals import RequestRefusedError

_CHALLENGE: Final = ((b"www-authenticate", b'Basic realm="write key", charset="UTF-8"'),)


class WriteKeys:
    """The keys of those who may send events; without any, everybody may."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._digests = [(name, _digest(secret.encode())) for name, secret in secrets.items()]

    @property
    def are_open(self) -> bool:
        """Whether everybody may send: nobody was given a key."""
        return not self._digests

    def name_of(self, key: bytes) -> str | None:
        """Return the name of a key, or None for an unknown one.

        All keys are compared to the end, as digests of one length: how long that takes says
        neither which of them was near nor how near.
        """
        digest = _digest(key)
        found: str | None = None
        for name, known in self._digests:
            if hmac.compare_digest(digest, known):
                found = name
        return found

    def sender(self, headers: Mapping[bytes, bytes], key_in_body: Any = None) -> str | None:
        """Return the name under which a request's events are kept; None when keys are not asked.

        The key stands in the Authorization header (Basic's user name, or Bearer) or in the body.
        A Bearer may be a token of the sender's own beside the key in the body.

        Raises:
            RequestRefusedError: there is no key, or an unknown one (401).
        """
        if not self._digests:
            return None
        keys = [_key_in_header(headers.get(b"authorization"))]
        if isinstance(key_in_body, str):
            # A lone surrogate cannot come from a JSON body: the parser refuses it.
            keys.append(key_in_body.encode())
        named = [self.name_of(key) for key in keys if key]
        found = next(filter(None, named), None)
        if found is None:
            text = (
                "The write key is unknown."
                if named
                else (
                    "A write key is needed: as user name of Basic authorization, "
                    "as Bearer token, or as writeKey in the body."
                )
            )
            raise RequestRefusedError(401, "unauthorized", text, _CHALLENGE)
        return found


def _key_in_header(authorization: bytes | None) -> bytes | None:
    if authorization is None:
        return None
    scheme, _, credentials = authorization.partition(b" ")
    if scheme.lower() == b"bearer":
        return credentials.strip()
    if scheme.lower() != b"basic":
        return None
    try:
        return base64.b64decode(credentials.strip(), validate=True).partition(b":")[0]
    except binascii.Error:
        return None


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
