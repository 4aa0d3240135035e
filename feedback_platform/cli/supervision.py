"""Servers side by side: started together, watched, ended in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Final

import click

from feedback_platform.cli import guard

_STOP_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.2
# A server that dies sooner than this after its start, so many times in a row, will not live.
_SHORT_LIFE_SECONDS: Final = 10
_SHORT_LIVES: Final = 3


class Child:
    """A server in a session of its own: of a Ctrl-C it hears once, from us.

    Between it and us is a guard, which ends it when we are no more. None of its own children
    outlives it. The guard alone keeps open the files that are to be `held`, by their descriptors:
    a lock on one of them lasts until the server has ended, whoever dies before.
    """

    def __init__(
        self,
        name: str,
        command: list[str],
        *,
        directory: Path,
        environment: Mapping[str, str],
        held: Collection[int] = (),
        stop_seconds: float = _STOP_SECONDS,
    ) -> None:
        self.name = name
        self._command = [sys.executable, "-m", guard.__name__, str(stop_seconds), *command]
        self._directory = directory
        self._environment = environment
        self._held = tuple(held)
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._short_lives = 0

    def start(self) -> None:
        """Start the server."""
        self._started_at = time.monotonic()
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            self._command,
            cwd=self._directory,
            env=dict(self._environment),
            stdin=subprocess.PIPE,
            pass_fds=self._held,
            start_new_session=True,
        )

    def ended(self) -> int | None:
        """Return the exit code with which it ended, or None while it runs.

        Raises:
            RuntimeError: it was not started, or this was told already.
        """
        if self._process is None:
            raise RuntimeError(f"{self.name} does not run.")
        return None if self._process.poll() is None else self._end()

    def start_again(self) -> bool:
        """Start it again after it ended; return False where that was tried often enough."""
        is_short = time.monotonic() - self._started_at < _SHORT_LIFE_SECONDS
        self._short_lives = self._short_lives + 1 if is_short else 0
        if self._short_lives >= _SHORT_LIVES:
            return False
        self.start()
        return True

    def stop(self, is_urgent: Callable[[], bool]) -> None:
        """Have the guard end it in order; kill it as soon as that is urgent."""
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        while process.poll() is None and not is_urgent():
            time.sleep(_POLL_SECONDS)
        self._end()

    def _end(self) -> int:
        """Kill what is left of the process group; return the exit code."""
        process, self._process = self._process, None
        assert process is not None  # noqa: S101
        # Nobody there, or (on macOS) nobody but the dead.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        with process:
            return process.wait()


def run_together(main: Child, *beside: Child) -> int:
    """Run servers until the main one ends or a signal says to stop; return the exit code.

    One beside it is started again when it dies. They are stopped before the main one, in their
    order. A signal that comes while they stop kills them.
    """
    with _noted_signals() as signals:
        try:
            for child in beside:
                child.start()
            main.start()
            return _watch(main, beside, signals)
        finally:
            heard = len(signals)
            for child in (*beside, main):
                child.stop(lambda: len(signals) > heard)


def _watch(main: Child, beside: Sequence[Child], signals: Sized) -> int:
    while not signals:
        code = main.ended()
        if code is not None:
            return code
        for child in beside:
            code = child.ended()
            if code is None:
                continue
            again = f"{child.name} ended with exit code {code}"
            if not child.start_again():
                click.echo(f"{again}, time and again; stopping.", err=True)
                return 1
            click.echo(f"{again}; it is started again.", err=True)
        time.sleep(_POLL_SECONDS)
    click.echo("Stopping … (Ctrl-C again: at once)")
    return 0


@contextmanager
def _noted_signals() -> Iterator[Sized]:
    """Collect the signals that say to stop, so that none of them interrupts the stopping."""
    noted: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        noted.append(number)

    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    # A hang-up that is ignored has been ignored on purpose: nohup.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        before[signal.SIGHUP] = signal.getsignal(signal.SIGHUP)
    for each in before:
        signal.signal(each, note)
    try:
        yield noted
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
