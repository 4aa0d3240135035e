from __future__ import annotations

import socket

import pytest

from feedback_platform.errors import InvalidInputError
from feedback_platform.serving.server import bound_socket, web_address


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_socket_is_bound_to_an_address_of_either_family_or_says_which_option_to_change(
    host: str,
) -> None:
    with bound_socket(host, 0) as listener:
        listener.listen()
        port = listener.getsockname()[1]
        socket.create_connection((host, port)).close()
        with pytest.raises(InvalidInputError) as refused:
            bound_socket(host, port, option="--api-port")
    assert str(refused.value).startswith(f"Port {port} of {host} cannot be used (Address already")
    assert str(refused.value).endswith("choose another: --api-port.")


@pytest.mark.parametrize("host", ["192.0.2.1", "fe80::1%nosuch"])
def test_of_a_host_that_is_not_this_machine_another_port_is_no_better(host: str) -> None:
    with pytest.raises(InvalidInputError, match=r"choose another: --host\.$"):
        bound_socket(host, 0)


def test_an_ipv6_address_stands_in_brackets() -> None:
    assert web_address("127.0.0.1", 80) == "http://127.0.0.1:80"
    assert web_address("localhost", 80) == "http://localhost:80"
    assert web_address("::1", 80) == "http://[::1]:80"
