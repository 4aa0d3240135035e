"""uvicorn's server within a process of ours: who tells it to stop, and in which order it does."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import socket
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Final, Protocol

import uvicorn

from feedback_platform.serving.stop_signals import StopSignals
from feedback_platform.serving.supervisor import CANNOT_START

_TICKS_A_SECOND: Final = 10


class Served(Protocol):
    """An application that takes part in the life of its server."""

    def begin_to_stop(self) -> None:
        """Say from now on that the server stops; requests are answered as before."""

    def tick(self) -> None:
        """Do what is due about once a second."""


class HttpServer(uvicorn.Server):
    """Stops in order: says so, goes on for a while, takes no more, answers, stores, ends.

    Args:
        config: of uvicorn; its application is a `Served` one.
        drain_seconds: for which requests are still taken after a signal, until whoever shares the
            load between servers has noticed.
    """

    def __init__(self, config: uvicorn.Config, *, drain_seconds: float = 0.0) -> None:
        super().__init__(config)
        self._drain_seconds = drain_seconds
        self._heartbeats: Connection | None = None

    def serve_until(
        self, signals: StopSignals, listener: socket.socket, heartbeats: Connection | None = None
    ) -> int:
        """Serve until a signal came; return the exit code.

        Args:
            signals: which came, and will come.
            listener: a bound socket.
            heartbeats: where to say that the process lives; its supervisor reads there. When that
                is no more, the server stops: it would hold the port, and nobody would end it.
        """
        self._heartbeats = heartbeats
        signals.tell(lambda number: self.handle_exit(number, None))
        try:
            with asyncio.Runner(loop_factory=self.config.get_loop_factory()) as runner:
                runner.run(self._serve_watched(signals, listener))
        except SystemExit:
            # The application could not start; uvicorn has said why.
            return CANNOT_START
        return 0

    async def _serve_watched(self, signals: StopSignals, listener: socket.socket) -> None:
        parent = multiprocessing.parent_process() if self._heartbeats is not None else None
        if parent is not None:
            loop, sentinel = asyncio.get_running_loop(), parent.sentinel

            def stop() -> None:
                loop.remove_reader(sentinel)
                signals.note(signal.SIGTERM)

            loop.add_reader(sentinel, stop)
        await self.serve([listener])

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the signals to the process, which has heard them from its first line on."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """Do what is due each tenth of a second; return whether to stop."""
        if counter % _TICKS_A_SECOND == 0:
            self._application.tick()
            if self._heartbeats is not None:
                with suppress(OSError):
                    self._heartbeats.send_bytes(b".")
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say that the server stops; take requests a while longer; then stop in order."""
        self._application.begin_to_stop()
        deadline = time.monotonic() + self._drain_seconds
        counter = 0
        while time.monotonic() < deadline and not self.force_exit:
            await self.on_tick(counter)
            await asyncio.sleep(1 / _TICKS_A_SECOND)
            counter += 1
        await super().shutdown(sockets)
        if self.force_exit:
            # uvicorn leaves it out then, and its task would end with a traceback.
            await self.lifespan.shutdown()

    @property
    def _application(self) -> Served:
        application: Served = self.config.loaded_app
        return application
