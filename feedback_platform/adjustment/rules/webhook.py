"""Telling another system of an adjustment: a signed POST, as Standard Webhooks describes it.

The headers are `webhook-id`, `webhook-timestamp` and `webhook-signature`; the signature is the
HMAC-SHA256 of `id.timestamp.body` (https://www.standardwebhooks.com). The id is that of the
adjustment, with `-undone` behind it when it is taken back, so that a receiver drops what it has
seen: a call that is repeated has the same.

Where a name leads is looked up once, and the connection goes to the address that was checked:
- never to a link-local one, where clouds keep the credentials of their machines;
- to this machine only when the URL itself says so (`localhost`, `127.0.0.1`, `[::1]`), and not
  because a name on the network leads here.
Redirects are not followed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

import orjson

from feedback_platform.adjustment.rules.changes import CannotChangeError, Cause, Change
from feedback_platform.adjustment.rules.definition import Action, Kind
from feedback_platform.errors import TransientError

# The run that evaluates the rules waits meanwhile.
TIMEOUT_SECONDS: Final = 5.0
PAUSES: Final = (0.5, 2.0)
CALLED: Final = "called"

_PREFIX: Final = "whsec_"
_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_LOCAL_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Receiver:
    """Who is told, and the secret that signs what they are told."""

    url: str = field(repr=False)
    secret: str = field(repr=False)

    @property
    def host(self) -> str:
        """The host, which may be shown; the rest of a URL may hold a secret."""
        return urlsplit(self.url).hostname or ""


class WebhookError(TransientError):
    """The receiver did not take the call, for a reason that may pass."""


class WebhookChanger:
    """Calls the receiver.

    Args:
        receiver: whom.
        now: the clock.
        sleep: waits between attempts.
    """

    def __init__(
        self,
        receiver: Receiver,
        now: Callable[[], datetime],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._receiver = receiver
        self._now = now
        self._sleep = sleep

    def plan(self, action: Action) -> Change:
        """Return whom would be told."""
        return Change(action.kind, self._receiver.host, "", CALLED)

    def make(self, change: Change, cause: Cause) -> None:
        """Tell of the adjustment."""
        self._tell(change, cause, "adjustment.applied", cause.adjustment_id)

    def take_back(self, change: Change, cause: Cause) -> None:
        """Tell that it is taken back."""
        self._tell(change, cause, "adjustment.undone", f"{cause.adjustment_id}-undone")

    def _tell(self, change: Change, cause: Cause, event: str, message_id: str) -> None:
        body = orjson.dumps(
            {
                "type": event,
                "timestamp": self._now(),
                "data": {
                    "adjustment_id": cause.adjustment_id,
                    "rule": cause.rule,
                    "scope": cause.scope,
                    "reason": cause.why,
                    "action": Kind(change.kind).value,
                },
            }
        )
        for pause in (*PAUSES, None):
            try:
                self._post(body, message_id)
            except WebhookError:
                if pause is None:
                    raise
                self._sleep(pause)
            else:
                return

    def _post(self, body: bytes, message_id: str) -> None:
        moment = round(self._now().timestamp())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "feedback-platform",
            "webhook-id": message_id,
            "webhook-timestamp": str(moment),
            "webhook-signature": signature(self._receiver.secret, message_id, moment, body),
        }
        status = post(self._receiver.url, body, headers)
        if status in _AGAIN:
            raise WebhookError(f"The webhook at {self._receiver.host} answered {status}.")
        if not 200 <= status < 300:  # noqa: PLR2004 - HTTP's own
            raise CannotChangeError(
                f"The webhook at {self._receiver.host} answered {status}; see FEEDBACK_WEBHOOK_URL."
            )


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


def post(url: str, body: bytes, headers: dict[str, str]) -> int:
    """Send one request and return the status.

    Raises:
        CannotChangeError: the address is one that is never called.
        WebhookError: nobody answered in time.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    is_secure = parts.scheme == "https"
    try:
        port = parts.port or (443 if is_secure else 80)
        address = checked_address(host, port)
        connection = _Connection(host, port, address, is_secure=is_secure)
        try:
            path = parts.path or "/"
            target = f"{path}?{parts.query}" if parts.query else path
            connection.request("POST", target, body=body, headers=headers)
            return connection.getresponse().status
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise WebhookError(
            f"The webhook at {host} did not answer: {reason or type(error).__name__}."
        ) from error


def checked_address(host: str, port: int) -> str:
    """Return an address of a host that may be called.

    Raises:
        CannotChangeError: the host leads to an address that is never called.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        if not may_be_called(host, address):
            raise CannotChangeError(
                f"The webhook's host {host} leads to {address}, which is never called; "
                "see FEEDBACK_WEBHOOK_URL."
            )
    return addresses[0]


def may_be_called(host: str, address: str) -> bool:
    """Return whether an address that a host leads to may be called."""
    meant = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(meant, ipaddress.IPv6Address) and meant.ipv4_mapped is not None:
        meant = meant.ipv4_mapped
    if meant.is_loopback:
        return host in _LOCAL_NAMES
    return not (
        meant.is_link_local or meant.is_multicast or meant.is_unspecified or meant.is_reserved
    )


class _Connection(http.client.HTTPConnection):
    """A connection to an address that was looked up and checked already."""

    def __init__(self, host: str, port: int, address: str, *, is_secure: bool) -> None:
        super().__init__(host, port, timeout=TIMEOUT_SECONDS)
        self._address = address
        self._is_secure = is_secure
        self.default_port = 443 if is_secure else 80

    def connect(self) -> None:
        """Connect to the address; the certificate is that of the host."""
        plain = socket.create_connection((self._address, self.port), TIMEOUT_SECONDS)
        self.sock = (
            ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)
            if self._is_secure
            else plain
        )


def _key(secret: str) -> bytes:
    if secret.startswith(_PREFIX):
        return base64.b64decode(secret.removeprefix(_PREFIX))
    return secret.encode()
