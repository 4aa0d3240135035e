"""Threads for calls that may hang, for which a process that ends does not wait."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial
from typing import Any, Final, TypeVar

# A thread that has nothing to do for so long ends.
_IDLE_SECONDS: Final = 10.0
_Result = TypeVar("_Result")


class DaemonThreads:
    """Runs calls beside the event loop, in the order in which they come, so many at once.

    An executor's threads are joined when the interpreter ends: one that waits for a store that
    does not answer would hold up the end for as long as the store's client has patience.
    """

    def __init__(self, name: str, *, most: int = 1) -> None:
        self._name = name
        self._most = most
        self._calls: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._changed = threading.Condition()
        self._threads = 0
        self._idle = 0

    async def run(self, call: Callable[[], _Result]) -> _Result:
        """Return what a call returns; raise what it raises.

        Whoever stops waiting does not stop a call that has begun; one that has not is forgotten.
        """
        done: Future[_Result] = Future()
        # What is logged there belongs to whoever asked.
        call = partial(copy_context().run, call)
        with self._changed:
            self._calls.append((call, done))
            if len(self._calls) > self._idle and self._threads < self._most:
                threading.Thread(target=self._run_all, name=self._name, daemon=True).start()
                self._threads += 1
            self._changed.notify()
        return await asyncio.wrap_future(done)

    def _run_all(self) -> None:
        while (item := self._next()) is not None:
            call, done = item
            if not done.set_running_or_notify_cancel():
                continue
            try:
                result = call()
            except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
                done.set_exception(error)
            else:
                done.set_result(result)

    def _next(self) -> tuple[Callable[[], Any], Future[Any]] | None:
        with self._changed:
            self._idle += 1
            self._changed.wait_for(lambda: self._calls, timeout=_IDLE_SECONDS)
            self._idle -= 1
            if self._calls:
                return self._calls.popleft()
            self._threads -= 1
            return None
