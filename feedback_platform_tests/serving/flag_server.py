"""A server with flags, and what its clients ask."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from feedback_platform.adjustment.flags.flags import Flags
from feedback_platform.lake.store import Lake
from feedback_platform_tests.adjustment.flags.definitions import ADA, flag, switch
from feedback_platform_tests.serving.running import TIMEOUT, Answer, RunningServer

BULK = "/ofrep/v1/evaluate/flags"
STREAM = "/ofrep/v1/stream"
AUSTRIA = {"attribute": "country", "equals": "AT"}
FANS = {"attribute": "segment", "in": ["fans"]}
FLAGS = {
    "switch": switch(),
    "layout": flag({"when": [AUSTRIA], "variant": "grid"}),
    "rollout": flag({"variant": "cards", "percentage": 50}, key="rollout"),
    "price": flag(key="price", type="number", default="a", variants={"a": 1.0, "b": 2.5}),
    "limit": flag(key="limit", type="number", default="a", variants={"a": 5}),
    "theme": flag(key="theme", type="object", default="a", variants={"a": {"dark": True}}),
    "gone": switch("gone", state="disabled"),
    "fans": flag({"when": [FANS], "variant": "cards"}, key="fans"),
}


def flags_of(server: RunningServer) -> Flags:
    """The flags as another process has them."""
    return Flags(Lake(server.settings.lake_url))


def apply_flags(server: RunningServer) -> None:
    flags_of(server).apply(FLAGS, ADA)


def evaluate(
    server: RunningServer, key: str = "", headers: Mapping[str, str] | None = None, **context: Any
) -> Answer:
    """Ask for one flag, or for all."""
    path = f"{BULK}/{key}" if key else BULK
    return server.post(path, {"context": {"targetingKey": "ada", **context}}, headers)


def by_key(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer
    return {each["key"]: each for each in answer.content["flags"]}


class EventSource:
    """Reads a stream as a browser does, without its buffering."""

    def __init__(self, connection: socket.socket) -> None:
        self._file = connection.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        self.headers: dict[str, str] = {}
        while line := self._file.readline().strip():
            name, _, value = line.decode().partition(":")
            self.headers[name.lower()] = value.strip()

    def next_message(self) -> dict[str, Any]:
        """The next message, its data parsed; comments are passed over.

        Raises:
            EOFError: the stream has ended.
        """
        message: dict[str, Any] = {}
        while True:
            piece = self.next_piece()
            for line in piece.decode().splitlines():
                name, _, text = line.partition(":")
                if name in {"id", "data"}:
                    message[name] = json.loads(text)
            if message:
                return message

    def next_piece(self) -> bytes:
        """The next chunk of the body.

        Raises:
            EOFError: there is none any more.
        """
        size = int(self._file.readline().strip() or b"0", 16)
        content = self._file.read(size + 2)[:-2]
        if not size:
            raise EOFError
        return content


@contextmanager
def opened_stream(
    server: RunningServer, path: str = STREAM, headers: str = ""
) -> Iterator[EventSource]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nhost: x\r\n{headers}\r\n".encode())
        yield EventSource(connection)
