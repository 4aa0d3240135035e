"""/healthz and /readyz: whether the process lives, and whether requests should come to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from feedback_platform.errors import FeedbackPlatformError
from feedback_platform.ingestion.collector.group_commit import GroupCommit
from feedback_platform.lake import keys
from feedback_platform.lake.daemon_threads import DaemonThreads
from feedback_platform.lake.store import Lake

# However often somebody asks, the lake is asked once in this time.
_CACHE_SECONDS: Final = 1.0
_LAKE_SECONDS: Final = 3.0


class _Question(NamedTuple):
    """What the lake was asked, and when."""

    asked_at: float
    answer: asyncio.Task[str | None]


class Health:
    """Knows whether events would be stored, and whether there will be lists in a moment.

    Asking costs the lake one small read a second.
    """

    def __init__(
        self, lake: Lake, commit: GroupCommit, lists_are_awaited: Callable[[], bool]
    ) -> None:
        """Take note of what readiness depends on.

        Args:
            lake: where events are stored.
            commit: what stores them.
            lists_are_awaited: whether the process has just started and still reads the lists.
        """
        self._lake = lake
        self._commit = commit
        self._lists_are_awaited = lists_are_awaited
        self._thread = DaemonThreads("readiness")
        self._question: _Question | None = None
        self.is_draining = False

    async def obstacle(self) -> str | None:
        """Return why no requests should come, or None."""
        if self.is_draining:
            return "the server is stopping"
        if self._commit.is_failing:
            return "the lake did not take the last events"
        obstacle = await self._answer_of_lake()
        if obstacle is None and self._lists_are_awaited():
            # Answered 503 here, requests for lists go to a process that was there before.
            return "the lists are still being read"
        return obstacle

    async def _answer_of_lake(self) -> str | None:
        question = self._newest_question()
        try:
            async with asyncio.timeout(question.asked_at + _LAKE_SECONDS - time.monotonic()):
                # Whoever stops waiting does not take the answer from the others.
                return await asyncio.shield(question.answer)
        except TimeoutError:
            return "the lake does not answer"

    def _newest_question(self) -> _Question:
        """Return the question under way, or one whose answer is new; else ask."""
        question, now = self._question, time.monotonic()
        if question is None or (
            question.answer.done() and now - question.asked_at > _CACHE_SECONDS
        ):
            answer = asyncio.create_task(self._thread.run(self._obstacle_of_lake))
            question = self._question = _Question(now, answer)
        return question

    def _obstacle_of_lake(self) -> str | None:
        try:
            self._lake.find(keys.IDENTITY)
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
