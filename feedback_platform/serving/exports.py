"""GET of everything that is known of a user: streamed as it is read, a few at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import duckdb
from starlette.types import Send

from feedback_platform.errors import FeedbackPlatformError
from feedback_platform.ingestion.collector.answers import CROSS_ORIGIN
from feedback_platform.ingestion.collector.refusals import RequestRefusedError
from feedback_platform.lake.daemon_threads import DaemonThreads
from feedback_platform.privacy.user_export import UserExport
from feedback_platform.serving.user_answers import NO_STORE

_log = logging.getLogger(__name__)

# Each takes a connection to the tables and a thread.
AT_ONCE: Final = 2
# From the first byte to the last, also for whoever reads slowly.
MOST_SECONDS: Final = 60.0
_RETRY_AFTER_SECONDS: Final = 5
_FORESEEN: Final = (TimeoutError, FeedbackPlatformError, duckdb.Error)
_START: Final = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", b"application/json"),
        (b"content-disposition", b'attachment; filename="feedback-data.json"'),
        NO_STORE,
        *CROSS_ORIGIN,
    ],
}


class Exports:
    """All exports that are under way in a process."""

    def __init__(
        self, path: Path, *, at_once: int = AT_ONCE, most_seconds: float = MOST_SECONDS
    ) -> None:
        self._path = path
        self._most_seconds = most_seconds
        self._free = at_once
        # A token opens its own user's data alone, so nobody reads at two places.
        self._read: set[str] = set()
        self._closing: set[asyncio.Task[None]] = set()

    async def send(
        self, user_id: str, preferences: Mapping[str, Any], now: datetime, send: Send
    ) -> None:
        """Answer with the document of a user.

        One that fails once it has begun is cut short: the answer does not end as it should.

        Args:
            user_id: as the layers call them.
            preferences: what they allow now.
            now: UTC.
            send: of the request.

        Raises:
            RequestRefusedError: the same is under way (429), too many are, or the tables cannot be
                read (503).
        """
        if user_id in self._read:
            text = "This user's data is being sent already; try again when it has come."
            retry_after = ((b"retry-after", b"%d" % _RETRY_AFTER_SECONDS),)
            raise RequestRefusedError(429, "already_under_way", text, retry_after)
        if not self._free:
            text = "Other users' data is being read; try again in a moment."
            raise RequestRefusedError.for_now(text, _RETRY_AFTER_SECONDS)
        self._free -= 1
        self._read.add(user_id)
        export = UserExport(self._path, user_id, preferences, now=now)
        pieces, thread = export.pieces(), DaemonThreads("export")
        is_begun = False
        try:
            async with asyncio.timeout(self._most_seconds):
                piece = await thread.run(partial(next, pieces, None))
                await send(_START)
                is_begun = True
                while piece is not None:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                    piece = await thread.run(partial(next, pieces, None))
                await send({"type": "http.response.body", "body": b""})
        except Exception as error:
            _log.warning("The data of a user was not sent whole.", exc_info=True)
            if is_begun:
                # The connection is closed within the answer.
                return
            if not isinstance(error, _FORESEEN):
                raise
            text = "What is published cannot be read at present; try again."
            raise RequestRefusedError.for_now(text, _RETRY_AFTER_SECONDS) from error
        finally:
            export.stop()
            # Behind what the thread may be doing still; until then it takes its place.
            closing = asyncio.ensure_future(thread.run(pieces.close))
            self._closing.add(closing)
            closing.add_done_callback(partial(self._closed, user_id))

    def _closed(self, user_id: str, closing: asyncio.Task[None]) -> None:
        self._closing.discard(closing)
        self._read.discard(user_id)
        self._free += 1
