"""The whole application behind a real web server on this machine, and clients without opinions."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feedback_platform.lake.raw import list_raw_objects, read_raw_object
from feedback_platform.lake.store import Lake
from feedback_platform.serving.http_server import HttpServer
from feedback_platform.serving.server import ApplicationFactory, bound_socket, server_configuration
from feedback_platform.settings import Settings, load_settings

TIMEOUT = 30


@dataclass(frozen=True)
class Answer:
    """What came back, with header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class RunningServer:
    """Where the application answers and stores."""

    port: int
    settings: Settings

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request on a connection of its own; what is not bytes is sent as JSON."""
        content = body if isinstance(body, bytes) else b"" if body is None else dumped(body)
        named = {"host": f"127.0.0.1:{self.port}", **(headers or {})}
        if not any(name.lower() == "transfer-encoding" for name in named):
            named.setdefault("content-length", str(len(content)))
        head = f"{method} {path} HTTP/1.1\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in named.items())
        return self.send(head.encode("latin-1") + b"\r\n" + content, method=method)

    def post(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> Answer:
        return self.ask("POST", path, body, headers)

    def send(self, request: bytes, *, method: str = "POST") -> Answer:
        """Send bytes as they are; return the first answer."""
        with self.connect() as connection:
            connection.sendall(request)
            return read_answer(connection, method=method)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT)

    def lines(self) -> list[dict[str, Any]]:
        """All received lines that are stored."""
        return stored_lines(self.settings)


def post_head(path: str = "/v1/track", **fields: str) -> bytes:
    """The head of a request, with `_` for `-` in the names of its fields."""
    named = {"host": "localhost", **{name.replace("_", "-"): text for name, text in fields.items()}}
    lines = "".join(f"{name}: {text}\r\n" for name, text in named.items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode()


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def stored_lines(settings: Settings) -> list[dict[str, Any]]:
    lake = Lake(settings.lake_url)
    return [
        json.loads(line)
        for key in list_raw_objects(lake)
        for line in read_raw_object(lake, key).splitlines()
    ]


def read_answer(connection: socket.socket, *, method: str = "POST") -> Answer:
    """Read one answer.

    Raises:
        ConnectionError: the connection was closed before there was a whole one.
    """
    data = bytearray()
    while b"\r\n\r\n" not in data:
        data += _received(connection)
    head, _, rest = bytes(data).partition(b"\r\n\r\n")
    status_line, *fields = head.decode("latin-1").split("\r\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)
    }
    status = int(status_line.split(" ")[1])
    has_body = method != "HEAD" and status not in {204, 304}
    length = int(headers.get("content-length", 0)) if has_body else 0
    body = bytearray(rest)
    while len(body) < length:
        body += _received(connection)
    return Answer(status, headers, bytes(body))


def is_closed(connection: socket.socket) -> bool:
    """Whether the server closes the connection without another word."""
    with suppress(ConnectionResetError):
        return connection.recv(1) == b""
    return True


def _received(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ConnectionError("closed before the answer was complete")
    return data


@contextmanager
def running_server(
    data_dir: Path, environment: Mapping[str, str] | None = None
) -> Iterator[RunningServer]:
    """Serve an installation from a thread of this process."""
    settings = load_settings(data_dir, environment or {})
    listener = bound_socket("127.0.0.1", 0)
    port = listener.getsockname()[1]
    server = HttpServer(server_configuration(ApplicationFactory(settings)))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    deadline = time.monotonic() + TIMEOUT
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError("the server did not start")
        time.sleep(0.01)
    yield RunningServer(port, settings)
    server.should_exit = True
    thread.join(TIMEOUT)
    assert not thread.is_alive(), "the server did not stop"
