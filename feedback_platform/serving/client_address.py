"""Where a request comes from, also behind a proxy."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Final

from starlette.types import Scope

# Whoever has one IPv6 address has the rest of its network as well (RFC 6177).
_OWN_BITS: Final = 64


def client_network(scope: Scope) -> str:
    """Return by what a client is counted: its address, or of IPv6 the network of that.

    An IPv4 address that is written as one of IPv6 is that IPv4 address.
    """
    host = client_address(scope)
    if not _is_address(host):
        return host
    address = ip_address(host)
    if not isinstance(address, IPv6Address):
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Network((int(address), _OWN_BITS), strict=False))


def client_address(scope: Scope) -> str:
    """Return the address of a client; of one behind a proxy, as the nearest proxy saw it.

    What a proxy says counts only when it is on this machine or in a private network: from elsewhere
    anybody could say it. Of several addresses the last is what this proxy has added; those before
    it are what its client said.
    """
    host = str((scope.get("client") or ("", 0))[0])
    if not _is_near(host):
        return host
    for name, value in reversed(scope["headers"]):
        if name == b"x-forwarded-for":
            said = value.decode("latin-1").rpartition(",")[2].strip()
            return said if _is_address(said) else host
    return host


def _is_near(host: str) -> bool:
    return _is_address(host) and (ip_address(host).is_private or ip_address(host).is_loopback)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
