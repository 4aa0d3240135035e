"""Bounds for what has none of its own: how long, how many at once, how large."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

import orjson
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

# A load balancer, a scrape: they are quick, and have to get through where others crowd.
_ALWAYS: Final = frozenset({"/healthz", "/readyz", "/metrics"})


@dataclass(frozen=True)
class Bounds:
    """What a request may take.

    Attributes:
        seconds: from the last piece of its body on until its answer begins.
        at_once: how many requests are answered at the same time.
        body_bytes: of its body; where an endpoint has a limit of its own, it is a smaller one.
    """

    seconds: float = 30.0
    at_once: int = 256
    body_bytes: int = 1 << 20


class Guard:
    """An application whose requests end: answered by it, or with the reason why not."""

    def __init__(self, application: ASGIApp, bounds: Bounds | None = None) -> None:
        self._application = application
        self._bounds = bounds or Bounds()
        self._now = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or take part in starting and stopping."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
        elif scope["path"] in _ALWAYS:
            await self._bounded(scope, receive, send)
        elif self._now >= self._bounds.at_once:
            await _refuse(send, "unavailable", "Too many requests at once; try again.")
        else:
            self._now += 1
            try:
                await self._bounded(scope, receive, send)
            finally:
                self._now -= 1

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        bounds = self._bounds
        loop = asyncio.get_running_loop()
        has_begun = False
        size = 0

        async def received() -> Any:
            nonlocal size
            # How long a body may take to come is for the connection to say.
            limit.reschedule(None)
            message = await receive()
            if not has_begun:
                limit.reschedule(loop.time() + bounds.seconds)
            size += len(message.get("body", b""))
            if size > bounds.body_bytes:
                text = f"The body is larger than {bounds.body_bytes:,} bytes"
                raise HTTPException(413, text)
            return message

        async def sent(message: Any) -> None:
            nonlocal has_begun
            if not has_begun:
                has_begun = True
                limit.reschedule(None)
            await send(message)

        try:
            async with asyncio.timeout(bounds.seconds) as limit:
                await self._application(scope, received, sent)
        except TimeoutError:
            if not limit.expired() or has_begun:
                raise
            text = "The request took too long; what was asked for may be done all the same."
            await _refuse(send, "timeout", text)


async def _refuse(send: Send, code: str, text: str) -> None:
    body = orjson.dumps({"code": code, "message": text})
    headers = [
        (b"content-type", b"application/json"),
        (b"access-control-allow-origin", b"*"),
        (b"content-length", b"%d" % len(body)),
        (b"retry-after", b"2"),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})
