"""The collector as an ASGI application: which path is answered by whom."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Final

from starlette.types import Receive, Scope, Send

from feedback_platform.ingestion.collector.answers import (
    method_not_allowed,
    send_preflight,
    send_refusal,
)
from feedback_platform.ingestion.collector.cloudevent_endpoint import PATH as CLOUDEVENTS
from feedback_platform.ingestion.collector.cloudevent_endpoint import CloudEvents
from feedback_platform.ingestion.collector.refusals import RequestRefusedError, SenderGoneError
from feedback_platform.ingestion.collector.segment_endpoints import segment_handlers
from feedback_platform.ingestion.collector.settings_document import (
    SettingsDocument,
    is_settings_path,
)
from feedback_platform.ingestion.collector.station import Handler, Station

_log = logging.getLogger(__name__)

_POST: Final = "POST"
_GET: Final = "GET"
_OPTIONS: Final = "OPTIONS"


class Collector:
    """Answers the paths of the tracking API and of CloudEvents; `handles` says which they are."""

    def __init__(self, station: Station) -> None:
        self.station = station
        # By code: all of them are ours.
        self.refused: Counter[str] = Counter()
        self._posts: dict[str, Handler] = {
            **segment_handlers(station),
            CLOUDEVENTS: CloudEvents(station),
        }
        self._settings = SettingsDocument(station)

    @property
    def post_paths(self) -> list[str]:
        """The paths that take events."""
        return list(self._posts)

    def handles(self, path: str) -> bool:
        """Return whether a path belongs to the collector."""
        return path in self._posts or is_settings_path(path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request to one of the paths that are handled."""
        try:
            await self._answer(scope, receive, send)
        except RequestRefusedError as refusal:
            self.refused[refusal.code] += 1
            await send_refusal(send, refusal)
        except SenderGoneError:
            return
        except Exception:  # noqa: BLE001 - logged, and the sender is told
            # Not the path: a write key may stand in it.
            _log.exception("A %s request met an error nobody foresaw.", scope["method"])
            text = "The server made a mistake; send the events again."
            await send_refusal(send, RequestRefusedError(500, "internal_error", text))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        handler, method = self._handler(scope["path"])
        if scope["method"] == method:
            await handler(scope, receive, send)
        elif scope["method"] == _OPTIONS:
            await send_preflight(scope, send, (method, _OPTIONS))
        else:
            raise method_not_allowed((method, _OPTIONS))

    def _handler(self, path: str) -> tuple[Handler, str]:
        posted = self._posts.get(path)
        if posted is not None:
            return posted, _POST
        if is_settings_path(path):
            return self._settings, _GET
        raise RequestRefusedError(404, "not_found", "There is nothing at this path.")
