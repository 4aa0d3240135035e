from __future__ import annotations

import pytest

from feedback_platform.serving.client_address import client_address


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
