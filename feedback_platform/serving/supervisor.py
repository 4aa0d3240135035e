"""Several processes that share the load: started, replaced when they die, ended in bounded time.

uvicorn has a supervisor of its own. It waits for the end of a worker without limit, does not hear a
signal while it waits for a worker to answer, and takes one that needs five seconds to start for
dead. This one knows no web server at all.
"""

from __future__ import annotations

import logging
import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Final

from feedback_platform.serving.stop_signals import StopSignals

_log = logging.getLogger(__name__)

# With this exit code a worker says that it cannot start. Where nobody has started before, no other
# one could.
CANNOT_START: Final = 3
_POLL_SECONDS: Final = 0.1
# Nobody who lives is silent for so long, however busy the machine.
_SILENCE_SECONDS: Final = 60.0
_START_SECONDS: Final = 180.0
_REST_SECONDS: Final = 1.0
_MOST_DOUBLINGS: Final = 5
_SPAWN: Final = multiprocessing.get_context("spawn")


# Runs in the new process: the number of its place, from 0, and where it says now and then, by any
# bytes, that it lives.
WorkerTarget = Callable[[int, Connection], None]


@dataclass(frozen=True)
class Patience:
    """How long the supervisor waits, in seconds.

    Attributes:
        end: from the signal on, until workers that are still there are killed.
        silence: for another heartbeat.
        start: for the first one.
        rest: from one start at a place to the next; twice as long after each in vain.
    """

    end: float
    silence: float = _SILENCE_SECONDS
    start: float = _START_SECONDS
    rest: float = _REST_SECONDS


@dataclass
class _Worker:
    process: SpawnProcess
    heartbeats: Connection
    started_at: float
    heard_at: float | None = None

    def is_silent(self, now: float, patience: Patience) -> bool:
        """Return whether it lives, but has not been heard of for too long."""
        with suppress(EOFError, OSError):
            while self.heartbeats.poll():
                self.heartbeats.recv_bytes()
                self.heard_at = now
        since, most = (
            (self.started_at, patience.start)
            if self.heard_at is None
            else (self.heard_at, patience.silence)
        )
        return now - since > most and self.process.is_alive()

    def forgive(self, now: float) -> None:
        """Wait for its next heartbeat from now on."""
        if self.heard_at is None:
            self.started_at = now
        else:
            self.heard_at = now

    def bury(self) -> int | None:
        """Let go of what is kept of a worker that has ended; return its exit code."""
        self.process.join()
        self.heartbeats.close()
        return self.process.exitcode


class Supervisor:
    """Keeps so many workers running until a signal says to stop."""

    def __init__(
        self, target: WorkerTarget, workers: int, signals: StopSignals, patience: Patience
    ) -> None:
        self._target = target
        self._signals = signals
        self._patience = patience
        self._places: list[_Worker | None] = [None] * workers
        # Of each place, how often it was in vain since somebody there was heard of.
        self._failures = [0] * workers
        self._next_start_at = [0.0] * workers
        self._looked_at = time.monotonic()

    def run(self) -> int:
        """Return the exit code: 0 after a signal, 1 when no worker can start."""
        code = 0
        try:
            while not self._signals and code == 0:
                self._note_absence()
                code = self._fill_places()
                self._wait(_POLL_SECONDS)
        finally:
            self._end()
        return code

    def _note_absence(self) -> None:
        """Hold nobody's silence against them where the supervisor itself was stopped.

        What stops one process of a container, or of a terminal, stops all of them.
        """
        now = time.monotonic()
        if now - self._looked_at > self._patience.silence / 4:
            for worker in filter(None, self._places):
                worker.forgive(now)
        self._looked_at = now

    def _fill_places(self) -> int:
        """Start who is missing; return 1 where that is in vain."""
        for place, worker in enumerate(self._places):
            if self._signals:
                break
            now = time.monotonic()
            if worker is None:
                if now >= self._next_start_at[place]:
                    self._places[place] = self._started(place)
                continue
            if worker.is_silent(now, self._patience):
                _log.error("Worker %d does not answer; it is killed.", place)
                worker.process.kill()
                worker.process.join()
            code = worker.process.exitcode
            if code == CANNOT_START and not self._has_started_somebody():
                _log.error("Worker %d cannot start.", place)
                return 1
            if code is not None:
                _log.error("Worker %d ended with exit code %d and is replaced.", place, code)
                worker.bury()
                self._places[place] = None
                self._rest(place, worker.started_at, is_in_vain=worker.heard_at is None)
        return 0

    def _has_started_somebody(self) -> bool:
        return any(worker.heard_at is not None for worker in self._alive())

    def _rest(self, place: int, since: float, *, is_in_vain: bool) -> None:
        """Say when the next worker may start: many in a row would leave the others no machine."""
        failures = self._failures[place] + 1 if is_in_vain else 0
        self._failures[place] = failures
        rest = self._patience.rest * 2 ** min(failures, _MOST_DOUBLINGS)
        self._next_start_at[place] = since + rest

    def _started(self, place: int) -> _Worker | None:
        try:
            return self._start(place)
        except OSError as error:
            # No memory, no files, no more processes: the others go on, and it may pass.
            _log.error("Worker %d cannot be started now: %s", place, error)
            self._rest(place, time.monotonic(), is_in_vain=True)
            return None

    def _start(self, place: int) -> _Worker:
        heartbeats, beating = _SPAWN.Pipe(duplex=False)
        process = _SPAWN.Process(target=self._target, args=(place, beating), name=f"Worker {place}")
        with ExitStack() as on_failure, beating:
            on_failure.enter_context(heartbeats)
            with _ctrl_c_held_back():
                process.start()
            on_failure.pop_all()
        return _Worker(process, heartbeats, time.monotonic())

    def _wait(self, seconds: float) -> None:
        """Wait until a worker ends, but not for long: a signal does not wake who waits."""
        alive = [each.process.sentinel for each in self._alive()]
        if alive:
            wait(alive, seconds)
        else:
            time.sleep(seconds)

    def _alive(self) -> list[_Worker]:
        return [each for each in self._places if each is not None and each.process.is_alive()]

    def _end(self) -> None:
        """Tell the workers to stop; kill those that do not."""
        for each in self._alive():
            each.process.terminate()
        deadline = time.monotonic() + self._patience.end
        while self._alive() and time.monotonic() < deadline and not self._signals.is_urgent:
            self._wait(_POLL_SECONDS)
        for each in self._alive():
            _log.error("%s did not stop in time; it is killed.", each.process.name)
            each.process.kill()
        for worker in filter(None, self._places):
            worker.bury()


@contextmanager
def _ctrl_c_held_back() -> Iterator[None]:
    """Have children begin without Ctrl-C, which all processes of a terminal get.

    When a worker ends is for the supervisor to say. Python would interrupt its imports, with
    twenty lines on the screen. What comes meanwhile is delivered afterwards.
    """
    # It would clear the mask itself when it is started together with the first child.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
