"""A clock that stands where it is put: virtual time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime


class VirtualClock:
    """One time for the whole platform, and for each request that of its own sender.

    Requests of many users are under way together. Each of them is answered in a context (a task has
    its own), in which the clock shows when that request came.
    """

    def __init__(self, now: datetime) -> None:
        """Stand at a time (UTC)."""
        self._now = now
        self._of_request: ContextVar[datetime | None] = ContextVar("of_request", default=None)

    def __call__(self) -> datetime:
        """Return now (UTC)."""
        return self._of_request.get() or self._now

    def move_to(self, now: datetime) -> None:
        """Stand at a later time.

        Raises:
            ValueError: it is earlier; nothing here goes back.
        """
        if now < self._now:
            raise ValueError(f"Virtual time does not go back from {self._now} to {now}.")
        self._now = now

    @contextmanager
    def at(self, moment: datetime) -> Iterator[None]:
        """Show a moment to what is begun in this block, tasks included, and to nothing else."""
        token = self._of_request.set(moment)
        try:
            yield
        finally:
            self._of_request.reset(token)
