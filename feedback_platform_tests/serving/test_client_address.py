from __future__ import annotations

import pytest

from feedback_platform.serving.client_address import client_address, client_network


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        # What anybody may say from anywhere.
        ("8.8.8.8", ["198.51.100.1"], "8.8.8.8"),
        # A proxy beside the server, or in its network.
        ("127.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.2", ["198.51.100.1"], "198.51.100.1"),
        ("::1", ["2001:db8::1"], "2001:db8::1"),
        # The client of the proxy said the first.
        ("10.0.0.2", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.2", ["1.1.1.1", "198.51.100.1"], "198.51.100.1"),
        ("10.0.0.2", ["unknown"], "10.0.0.2"),
        ("10.0.0.2", [""], "10.0.0.2"),
        ("127.0.0.1", [], "127.0.0.1"),
    ],
)
def test_a_client_is_where_the_nearest_proxy_saw_it(
    peer: str, forwarded: list[str], address: str
) -> None:
    headers = [(b"host", b"x"), *((b"x-forwarded-for", each.encode()) for each in forwarded)]
    assert client_address({"client": (peer, 1), "headers": headers}) == address


def test_a_client_without_an_address_has_none() -> None:
    assert client_address({"client": None, "headers": []}) == ""


@pytest.mark.parametrize(
    ("peer", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::7", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::7", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("unknown", "unknown"),
    ],
)
def test_of_ipv6_a_network_counts_as_one_client(peer: str, network: str) -> None:
    assert client_network({"client": (peer, 1), "headers": []}) == network
