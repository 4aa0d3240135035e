"""The stream that tells clients of changed flags, by server-sent events.

A client hears that something changed, not what: it evaluates again. So each stream needs to
remember one thing at most, however slowly it is read.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import orjson
from starlette.types import Receive, Scope, Send

from feedback_platform.serving.client_address import client_address
from feedback_platform.serving.connections import PARTING
from feedback_platform.serving.flag_news import FlagNews
from feedback_platform.serving.ofrep_answers import CROSS_ORIGIN, OfrepRefusal

MAX_STREAMS: Final = 1000
# One key's clients, and one address's, leave room for those of others.
MAX_STREAMS_OF_KEY: Final = 800
MAX_STREAMS_OF_ADDRESS: Final = 100
# Proxies close what is silent for longer; and somebody who is gone is noticed.
HEARTBEAT_SECONDS: Final = 20.0
# Between the evaluation of a client and its stream a change must not be lost.
_GAP_SECONDS: Final = 60.0
_HEADERS: Final = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    *CROSS_ORIGIN,
)
_RETRY_AFTER: Final = ((b"retry-after", b"30"),)


class FlagStreams:
    """All open streams of a process."""

    def __init__(
        self,
        news: FlagNews,
        *,
        most: int = MAX_STREAMS,
        most_of_key: int = MAX_STREAMS_OF_KEY,
        most_of_address: int = MAX_STREAMS_OF_ADDRESS,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        self._news = news
        self._most = most
        self._most_of_key = most_of_key
        self._most_of_address = most_of_address
        # By key, or by address.
        self._shares: Counter[tuple[str, str]] = Counter()
        self._heartbeat_seconds = heartbeat_seconds
        self.open = 0

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send, client: str | None = None
    ) -> None:
        """Tell of changes until the client goes, or the server.

        Args:
            scope, receive, send: of ASGI.
            client: the name of the key whose stream it is; None where there are no keys.

        Raises:
            OfrepRefusal: there are too many streams, or too many of the key or of the address.
        """
        shares = [("address", client_address(scope))]
        if client is not None:
            shares.append(("key", client))
        self._check_room(shares)
        self.open += 1
        self._shares.update(shares)
        ends = [
            asyncio.create_task(_gone(receive)),
            asyncio.create_task(_parting(scope).wait()),
        ]
        try:
            await self._tell(dict(scope["headers"]), ends, send)
        finally:
            self.open -= 1
            # Who has none any more is forgotten.
            self._shares -= Counter(shares)
            for task in ends:
                task.cancel()

    def _check_room(self, shares: list[tuple[str, str]]) -> None:
        if self.open >= self._most:
            text = "Too many streams are open; poll, or try again later."
            raise OfrepRefusal(503, text, headers=_RETRY_AFTER)
        most = {"key": self._most_of_key, "address": self._most_of_address}
        for share in shares:
            if self._shares[share] >= most[share[0]]:
                text = f"Too many streams of this {share[0]} are open; poll, or try again later."
                raise OfrepRefusal(429, text, headers=_RETRY_AFTER)

    async def _tell(
        self, headers: Mapping[bytes, bytes], ends: list[asyncio.Task[Any]], send: Send
    ) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": list(_HEADERS)})
        change = asyncio.ensure_future(self._news.next_change())
        try:
            told = self._news.tag
            first = _event(self._news) if self._is_behind(headers) else b""
            await _send_piece(send, b"retry: 3000\n\n" + first)
            while not any(task.done() for task in ends):
                await asyncio.wait(
                    [change, *ends],
                    timeout=self._heartbeat_seconds,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if change.done():
                    change = asyncio.ensure_future(self._news.next_change())
                # Read anew: of several changes while a client reads slowly, only the last counts.
                if self._news.tag != told:
                    told = self._news.tag
                    await _send_piece(send, _event(self._news))
                elif not any(task.done() for task in ends):
                    await _send_piece(send, b":\n\n")
            await send({"type": "http.response.body", "body": b""})
        finally:
            change.cancel()

    def _is_behind(self, headers: Mapping[bytes, bytes]) -> bool:
        """Return whether a client that comes (back) may have missed a change."""
        last = headers.get(b"last-event-id")
        if last is not None and self._news.flags.current is not None:
            return last != self._news.tag.encode()
        return asyncio.get_running_loop().time() - self._news.changed_at < _GAP_SECONDS


def _event(news: FlagNews) -> bytes:
    content: dict[str, Any] = {"type": "refetchEvaluation", "etag": news.tag}
    written_at = news.written_at
    if written_at is not None:
        content["lastModified"] = written_at.isoformat()
    return b"id: %s\ndata: %s\n\n" % (news.tag.encode(), orjson.dumps(content))


async def _send_piece(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue


def _parting(scope: Scope) -> asyncio.Event:
    """Return what is set when the server begins to stop; never, behind another server."""
    with suppress(KeyError):
        event: asyncio.Event = scope["extensions"][PARTING]["event"]
        return event
    return asyncio.Event()
