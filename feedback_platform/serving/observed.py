"""Every request: it gets an id, it is counted, and what goes wrong with it is logged once."""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable
from time import perf_counter
from typing import Any, Final

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from feedback_platform.serving.metrics.requests import RequestTally
from feedback_platform.serving.request_ids import HEADER, IDS, REQUEST_ID

_log = logging.getLogger(__name__)
_access_log = logging.getLogger("feedback_platform.access")

_MISTAKE: Final = orjson.dumps(
    {"code": "internal_error", "message": "The server made a mistake; try again."}
)
_MISTAKE_HEADERS: Final = (
    (b"content-type", b"application/json"),
    (b"access-control-allow-origin", b"*"),
    (b"content-length", b"%d" % len(_MISTAKE)),
)


class Observed:
    """An application whose requests are observed.

    Args:
        application: answers the requests.
        tally: counts them.
        access_share: which part of them is logged, from 0 (none) to 1 (all of them).
    """

    def __init__(
        self, application: ASGIApp, tally: RequestTally, *, access_share: float = 0.0
    ) -> None:
        self._application = application
        self._tally = tally
        self._access_share = access_share

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or take part in starting and stopping."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        began = perf_counter()
        request_id = IDS.of(scope["headers"])
        REQUEST_ID.set(request_id.decode())
        answer = _Answer(send, request_id)
        tally = self._tally
        tally.in_progress += 1
        try:
            await self._application(scope, receive, answer)
        except Exception:  # noqa: BLE001 - logged, and the client is told
            _log.exception("A request met an error nobody foresaw.")
            if not answer.status:
                await _send_mistake(answer)
        finally:
            tally.in_progress -= 1
            endpoint = tally.endpoint(scope["path"])
            seconds = perf_counter() - began
            tally.note(endpoint, scope["method"], answer.status, seconds)
            if self._access_share and random.random() < self._access_share:  # noqa: S311
                self._log_access(scope, endpoint, answer.status, seconds)

    def _log_access(self, scope: Scope, endpoint: str, status: int, seconds: float) -> None:
        # Neither path nor query: keys may stand in both, and names of users.
        fields = {
            "endpoint": endpoint,
            "method": scope["method"],
            "status": status,
            "milliseconds": round(seconds * 1000, 3),
        }
        text = " ".join(str(each) for each in fields.values())
        _access_log.info(text, extra={"fields": fields})


class _Answer:
    """Sends an answer on, and its request's id with it."""

    __slots__ = ("_request_id", "_send", "status")

    def __init__(self, send: Send, request_id: bytes) -> None:
        self._send = send
        self._request_id = request_id
        self.status = 0

    def __call__(self, message: Any) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            # Answers are made once and sent often: not to be changed.
            headers = [*message.get("headers", ()), (HEADER, self._request_id)]
            message = {**message, "headers": headers}
        return self._send(message)


async def _send_mistake(send: Send) -> None:
    headers = list(_MISTAKE_HEADERS)
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": _MISTAKE})
