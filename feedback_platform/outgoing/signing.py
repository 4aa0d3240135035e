"""Signed messages, as Standard Webhooks describes them (https://www.standardwebhooks.com).

The headers are `webhook-id`, `webhook-timestamp` and `webhook-signature`; the signature is the
HMAC-SHA256 of `id.timestamp.body`. A call that is repeated has the same id, by which a receiver
drops what it has seen.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime
from typing import Final

_PREFIX: Final = "whsec_"


def signed_headers(secret: str, message_id: str, now: datetime, body: bytes) -> dict[str, str]:
    """Return the headers of a signed message in JSON.

    Args:
        secret: any text, or `whsec_` and the key in Base64.
        message_id: of the message.
        now: when it is sent.
        body: the bytes that are sent.
    """
    moment = round(now.timestamp())
    return {
        "Content-Type": "application/json",
        "User-Agent": "feedback-platform",
        "webhook-id": message_id,
        "webhook-timestamp": str(moment),
        "webhook-signature": signature(secret, message_id, moment, body),
    }


def signature(secret: str, message_id: str, moment: int, body: bytes) -> str:
    """Return the signature of a message.

    Args:
        secret: any text, or `whsec_` and the key in Base64.
        message_id: of the message.
        moment: seconds since 1970.
        body: the bytes that are sent.
    """
    signed = b".".join((message_id.encode(), str(moment).encode(), body))
    digest = hmac.new(_key(secret), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def _key(secret: str) -> bytes:
    if secret.startswith(_PREFIX):
        return base64.b64decode(secret.removeprefix(_PREFIX))
    return secret.encode()
