"""/healthz and /readyz: whether the process lives, and whether it can take events."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from feedback_platform.errors import FeedbackPlatformError
from feedback_platform.ingestion.collector.group_commit import GroupCommit
from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake

# However often somebody asks, the lake is asked once in this time.
_CACHE_SECONDS: Final = 1.0
_LAKE_SECONDS: Final = 3.0


class Health:
    """Knows whether events would be stored; asking costs the lake one small read a second."""

    def __init__(self, lake: Lake, commit: GroupCommit) -> None:
        self._lake = lake
        self._commit = commit
        self._asking = asyncio.Lock()
        self._answer: tuple[float, str | None] | None = None
        self.is_draining = False

    async def obstacle(self) -> str | None:
        """Return why no events can be taken, or None."""
        if self.is_draining:
            return "the server is stopping"
        if self._commit.is_failing:
            return "the lake did not take the last events"
        async with self._asking:
            now = time.monotonic()
            if self._answer is None or now - self._answer[0] > _CACHE_SECONDS:
                self._answer = (now, await self._obstacle_of_lake())
            return self._answer[1]

    async def _obstacle_of_lake(self) -> str | None:
        try:
            await asyncio.wait_for(
                asyncio.to_thread(self._lake.find, keys.IDENTITY), timeout=_LAKE_SECONDS
            )
        except TimeoutError:
            return "the lake does not answer"
        except FeedbackPlatformError:
            return "the lake cannot be read"
        directory = self._lake.directory
        if directory is not None and not directory.is_dir():
            return "the lake's directory is gone"
        return None


def health_routes(health: Health) -> list[BaseRoute]:
    """Return the routes of a load balancer's two questions."""

    async def alive(_request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def ready(_request: Request) -> Response:
        obstacle = await health.obstacle()
        if obstacle is None:
            return JSONResponse({"status": "ready"})
        content = {"code": "unavailable", "message": f"Not ready: {obstacle}."}
        return JSONResponse(content, status_code=503, headers={"retry-after": "2"})

    return [Route("/healthz", alive), Route("/readyz", ready)]
