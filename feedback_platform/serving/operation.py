"""What a person who runs the server sees of one of its processes, and how others see it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.types import ASGIApp

from feedback_platform.serving.health import Health
from feedback_platform.serving.metrics.metric import Metric
from feedback_platform.serving.metrics.platform import connection_metrics
from feedback_platform.serving.metrics.process import process_metrics
from feedback_platform.serving.metrics.requests import RequestTally
from feedback_platform.serving.metrics.snapshots import Snapshots
from feedback_platform.serving.observed import Observed


@dataclass(frozen=True)
class ServingProcess:
    """Which of a server's processes one is.

    Attributes:
        workers: how many there are.
        place: its own, from 0.
        shared_directory: where they find what they tell each other; None for a single one.
        access_share: which part of the requests is logged.
    """

    workers: int = 1
    place: int = 0
    shared_directory: Path | None = None
    access_share: float = 0.0

    @property
    def meeting_place(self) -> Path | None:
        """Where their sockets lie; None for a single one."""
        return None if self.shared_directory is None else self.shared_directory / "sockets"


# The one process of a server that has no others.
ALONE: Final = ServingProcess()


class Operation:
    """The health and the numbers of a process.

    Args:
        process: which one it is.
        health: what it says of itself.
        event_paths: the paths that take events.
        metrics: of what the process does, beside answering requests.
    """

    def __init__(
        self,
        process: ServingProcess,
        health: Health,
        event_paths: Iterable[str],
        metrics: Iterable[Metric],
    ) -> None:
        self.health = health
        self._access_share = process.access_share
        self._requests = RequestTally(event_paths)
        self.snapshots = Snapshots(
            [*self._requests.metrics(), *connection_metrics(), *metrics, *process_metrics()],
            process.shared_directory,
            process.place,
        )

    def observed(self, application: ASGIApp) -> Observed:
        """Return an application of which every request is counted."""
        return Observed(application, self._requests, access_share=self._access_share)
