"""The real application in this process: real requests, without a socket between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import orjson
from starlette.types import ASGIApp, Message

from feedback_platform.errors import PermanentError

_HOST: Final = (b"host", b"product.example")
_CLIENT: Final = ("127.0.0.1", 50_000)
_JSON: Final = (b"content-type", b"application/json")


class ServerFailedError(PermanentError):
    """The application did not start, or failed while it answered."""


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        status: of HTTP.
        content: of the JSON body; None where it is empty.
    """

    status: int
    content: Any


class InProcessServer:
    """Asks an ASGI application as a web server does that has read a request."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def ask(
        self, method: str, path: str, query: str = "", *, key: str, body: Any = None
    ) -> Answer:
        """Send one request.

        Args:
            method: of HTTP.
            path: decoded.
            query: encoded.
            key: the secret that it brings, as a Bearer token.
            body: what is sent as JSON; nothing where it is None.
        """
        content = b"" if body is None else orjson.dumps(body)
        headers = [
            _HOST, _JSON, (b"authorization", f"Bearer {key}".encode()),
            (b"content-length", b"%d" % len(content)),
        ]  # fmt: skip
        scope: dict[str, Any] = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http",
            "method": method, "path": path, "raw_path": quote(path).encode(),
            "query_string": query.encode(), "root_path": "", "headers": headers,
            "client": _CLIENT, "server": ("product.example", 80),
        }  # fmt: skip
        said: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Message) -> None:
            said.append(message)

        await self._application(scope, receive, send)
        status = next(each["status"] for each in said if each["type"] == "http.response.start")
        answered = b"".join(each.get("body", b"") for each in said)
        return Answer(status, orjson.loads(answered) if answered else None)


@asynccontextmanager
async def running(application: ASGIApp) -> AsyncIterator[InProcessServer]:
    """Start an application, and stop it in order at the end.

    Raises:
        ServerFailedError: it did not start.
    """
    calls: asyncio.Queue[Message] = asyncio.Queue()
    answers: asyncio.Queue[Message] = asyncio.Queue()
    scope: Mapping[str, Any] = {"type": "lifespan", "asgi": {"version": "3.0"}}
    life = asyncio.create_task(_live(application, dict(scope), calls, answers))
    await calls.put({"type": "lifespan.startup"})
    started = await answers.get()
    if started["type"] != "lifespan.startup.complete":
        raise ServerFailedError(f"The application did not start: {started.get('message', '')}")
    try:
        yield InProcessServer(application)
    finally:
        await calls.put({"type": "lifespan.shutdown"})
        await life


async def _live(
    application: ASGIApp,
    scope: dict[str, Any],
    calls: asyncio.Queue[Message],
    answers: asyncio.Queue[Message],
) -> None:
    try:
        await application(scope, calls.get, answers.put)
    except Exception as error:
        await answers.put({"type": "lifespan.startup.failed", "message": str(error)})
        raise
