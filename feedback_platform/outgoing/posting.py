"""One request to another system, within a time, to an address that was checked.

Where a name leads is looked up once, and the connection goes to the address that was checked:
- never to a link-local one, or another where clouds keep the credentials of their machines;
- to this machine only when the URL itself says so (`localhost`, `127.0.0.1`, `[::1]`), and not
  because a name on the network leads here.
Redirects are not followed.

A timeout of a socket is one of each wait for a byte, and looking up a name has none. So the request
has a thread of its own, which is left behind when its time is over.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

from feedback_platform.errors import PermanentError, TransientError

# Everything together, from looking the name up to the answer.
DEADLINE_SECONDS: Final = 5.0

_LOCAL_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
# Of those clouds that have it elsewhere than in 169.254.0.0/16: Amazon, Google, Alibaba, Oracle,
# Azure.
_METADATA: Final = frozenset(
    ipaddress.ip_address(address)
    for address in (
        "fd00:ec2::254",
        "fd20:ce::254",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
    )
)


# Statuses of a receiver that may take the same call later.
_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


class WebhookError(TransientError):
    """The receiver did not take the call, for a reason that may pass."""


class WebhookRefusedError(PermanentError):
    """The receiver is one that is never called, or does not take such a call."""


def tell(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    setting: str,
    seconds: float = DEADLINE_SECONDS,
) -> None:
    """Send one request that has to be taken.

    Args:
        url: where to.
        body: of the request.
        headers: of the request.
        setting: the variable that has the URL, for errors.
        seconds: how long it may take in all.

    Raises:
        WebhookRefusedError: the address is one that is never called or means nothing, or the
            receiver refused the call.
        WebhookError: nobody answered in time, or that the call may be taken later.
    """
    try:
        status = post(url, body, headers, seconds)
    except WebhookRefusedError as error:
        raise WebhookRefusedError(f"{error}; see {setting}.") from None
    host = urlsplit(url).hostname or ""
    if status in _AGAIN:
        raise WebhookError(f"The webhook at {host} answered {status}.")
    if not 200 <= status < 300:  # noqa: PLR2004 - HTTP's own
        raise WebhookRefusedError(f"The webhook at {host} answered {status}; see {setting}.")


def post(
    url: str, body: bytes, headers: Mapping[str, str], seconds: float = DEADLINE_SECONDS
) -> int:
    """Send one request and return the status.

    Args:
        url: where to.
        body: of the request.
        headers: of the request.
        seconds: how long it may take in all.

    Raises:
        WebhookRefusedError: the address is one that is never called, or means nothing.
        WebhookError: nobody answered in time.
    """
    call = _Call(url, body, headers, seconds)
    thread = threading.Thread(target=call.run, name="webhook", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        call.abandon()
        raise WebhookError(f"The webhook at {call.host} did not answer within {seconds:g} seconds.")
    if call.error is not None:
        # Not chained: the text of what was raised may have the URL in it.
        raise _told(call.host, call.error) from None
    return call.status


def checked_address(host: str, port: int) -> str:
    """Return an address of a host that may be called.

    Raises:
        WebhookRefusedError: the host leads to an address that is never called.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        if not may_be_called(host, address):
            raise WebhookRefusedError(
                f"The webhook's host {host} leads to {address}, which is never called"
            )
    return addresses[0]


def may_be_called(host: str, address: str) -> bool:
    """Return whether an address that a host leads to may be called."""
    meant = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(meant, ipaddress.IPv6Address) and meant.ipv4_mapped is not None:
        meant = meant.ipv4_mapped
    if meant.is_loopback:
        return host in _LOCAL_NAMES
    return meant not in _METADATA and not (
        meant.is_link_local or meant.is_multicast or meant.is_unspecified or meant.is_reserved
    )


class _Call:
    """A request that somebody waits for, but not for ever."""

    def __init__(self, url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> None:
        self.host = urlsplit(url).hostname or ""
        self.status = 0
        self.error: Exception | None = None
        self._request = url, body, headers
        self._ends = time.monotonic() + seconds
        self._connection: _Connection | None = None

    def run(self) -> None:
        """Send the request, and keep the status or what was raised."""
        try:
            self.status = self._post(*self._request)
        except Exception as error:  # noqa: BLE001 - whatever it is, it fails this call alone
            self.error = error

    def abandon(self) -> None:
        """End the request, wherever it is."""
        sock = self._connection and self._connection.sock
        if sock:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        parts = urlsplit(url)
        is_secure = parts.scheme == "https"
        port = parts.port or (443 if is_secure else 80)
        address = checked_address(self.host, port)
        connection = _Connection(self.host, port, address, self._ends, is_secure=is_secure)
        self._connection = connection
        try:
            path = parts.path or "/"
            target = f"{path}?{parts.query}" if parts.query else path
            connection.request("POST", target, body=body, headers=headers)
            return connection.getresponse().status
        finally:
            connection.close()


class _Connection(http.client.HTTPConnection):
    """A connection to an address that was looked up and checked already."""

    def __init__(self, host: str, port: int, address: str, ends: float, *, is_secure: bool) -> None:
        super().__init__(host, port)
        self._address = address
        self._ends = ends
        self._is_secure = is_secure
        self.default_port = 443 if is_secure else 80

    def connect(self) -> None:
        """Connect to the address, unless it is too late; the certificate is that of the host."""
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError
        plain = socket.create_connection((self._address, self.port), left)
        if not self._is_secure:
            self.sock = plain
            return
        secure = ssl.create_default_context().wrap_socket(
            plain, server_hostname=self.host, do_handshake_on_connect=False
        )
        # Known before it shakes hands, so that it can be ended meanwhile.
        self.sock = secure
        secure.do_handshake()


def _told(host: str, error: Exception) -> Exception:
    """Return what is said of what was raised."""
    if isinstance(error, WebhookRefusedError):
        return error
    if isinstance(error, OSError):
        reason = error.strerror or type(error).__name__
        return WebhookError(f"The webhook at {host} did not answer: {reason}.")
    name = type(error).__name__
    if isinstance(error, ValueError | http.client.InvalidURL):
        return WebhookRefusedError(f"The webhook at {host} cannot be called ({name})")
    return WebhookError(f"The webhook at {host} did not answer as HTTP does ({name}).")
