"""A registry behind a real web server on this machine, for clients that know nothing of it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any, Literal, NoReturn

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from feedback_platform.events.registry.log import Store
from feedback_platform.events.registry.registry import SchemaRegistry
from feedback_platform.serving.registry import build_registry_application


@dataclass(frozen=True)
class Answer:
    """What the server said."""

    status: int
    headers: Mapping[str, str]
    content: Any


@dataclass(frozen=True)
class RegistryServer:
    """Where the registry answers."""

    port: int

    @property
    def url(self) -> str:
        """The address that a client is given."""
        return f"http://127.0.0.1:{self.port}/registry"

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request; a body that is not bytes is sent as JSON."""
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, f"/registry{path}", content, dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, dict(response.headers), json.loads(response.read()))
        finally:
            connection.close()


@contextmanager
def running_registry(
    store: Store, api_keys: Mapping[str, str] | None = None
) -> Iterator[RegistryServer]:
    """Serve the registry over a store, as the platform does, until the block ends."""
    registry = build_registry_application(SchemaRegistry(store), api_keys or {})
    application = Starlette(routes=[Mount("/registry", registry)])
    server = uvicorn.Server(uvicorn.Config(application, port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started:
        assert thread.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    try:
        yield RegistryServer(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(30)


class FailingStore:
    """A store that has nothing and takes nothing, for one reason or another."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def find(self, key: str) -> bytes | None:
        return self._fail(key)

    def put(self, key: str, data: bytes, *, mode: Literal["create", "overwrite"]) -> None:
        self._fail(key, data, mode)

    def list_keys(self, prefix: str, *, after: str | None = None) -> list[str]:
        return self._fail(prefix, after)

    def _fail(self, *_arguments: object) -> NoReturn:
        raise self._error
