"""How far each layer has come, as the publication that is in place says it, for /metrics."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import duckdb

from feedback_platform.errors import FeedbackPlatformError
from feedback_platform.lake.daemon_threads import DaemonThreads
from feedback_platform.serving.regular_look import RegularLook
from feedback_platform.warehouse.published import open_published

_log = logging.getLogger(__name__)

# Prometheus asks every 15 s or less often.
_LOOK_SECONDS: Final = 5.0
_FIRST_LOOK_SECONDS: Final = 1.0
_FRESHNESS: Final = """
    select layer, epoch(newest_event_at), lag_seconds
    from metrics.layer_freshness
    where newest_event_at is not null
"""


class LayerPosition(NamedTuple):
    """Of a layer, when its newest event was received (Unix time), and by how much it lags (s)."""

    newest_event_at: float
    lag_seconds: float


class PublishedFreshness:
    """Reads the table anew, in a thread of its own, when something was published.

    Attributes:
        layers: by name; none before the first publication, or of an earlier release's.
    """

    def __init__(self, path: Path, *, look_seconds: float = _LOOK_SECONDS) -> None:
        """Prepare to look.

        Args:
            path: of the published database.
            look_seconds: between two looks.
        """
        self._path = path
        self._thread = DaemonThreads("freshness")
        self._stamp: tuple[int, int] | None = None
        self._looking = RegularLook(
            self.look,
            "The freshness of the layers",
            seconds=look_seconds,
            first_seconds=_FIRST_LOOK_SECONDS,
        )
        self.layers: Mapping[str, LayerPosition] = {}

    async def start(self) -> None:
        """Look once, and begin to look for publications."""
        await self._looking.start()

    async def stop(self) -> None:
        """Look no longer."""
        await self._looking.stop()

    async def look(self) -> None:
        """Take over what is published now, if it is something new."""
        found = await self._thread.run(self._news)
        if found is not None:
            self.layers = found

    def _news(self) -> Mapping[str, LayerPosition] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        stamp = (status.st_ino, status.st_mtime_ns)
        if stamp == self._stamp:
            return None
        self._stamp = stamp
        try:
            with open_published(self._path) as connection:
                # The requests need the other cores.
                connection.execute("set threads = 1")
                rows = connection.execute(_FRESHNESS).fetchall()
        except duckdb.CatalogException:
            return {}
        except (FeedbackPlatformError, duckdb.Error):
            _log.warning("The freshness of the layers cannot be read.", exc_info=True)
            return None
        return {layer: LayerPosition(newest, lag) for layer, newest, lag in rows}
