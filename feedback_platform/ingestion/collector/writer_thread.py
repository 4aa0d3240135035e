"""A thread for calls that may hang, for which a process that ends does not wait."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue


class WriterThread:
    """Runs calls one after another, beside the event loop.

    An executor's threads are joined when the interpreter ends: one that waits for a store that
    does not answer would keep the process alive for ever.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: SimpleQueue[tuple[Callable[[], None], Future[None]] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    async def run(self, call: Callable[[], None]) -> None:
        """Return when a call has returned; raise what it raises.

        Whoever stops waiting does not stop a call that has begun.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self._run_all, name=self._name, daemon=True)
            self._thread.start()
        done: Future[None] = Future()
        self._calls.put((call, done))
        await asyncio.wrap_future(done)

    def stop(self) -> None:
        """End after the calls that were handed over, without waiting for them."""
        self._calls.put(None)

    def _run_all(self) -> None:
        while (item := self._calls.get()) is not None:
            call, done = item
            if not done.set_running_or_notify_cancel():
                continue
            try:
                call()
            except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
                done.set_exception(error)
            else:
                done.set_result(None)
