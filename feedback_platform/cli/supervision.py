"""Two servers side by side: started together, watched, ended in order."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Final

import click

_STOP_SECONDS: Final = 30
_POLL_SECONDS: Final = 0.2
# A server that dies sooner than this after its start, so many times in a row, will not live.
_SHORT_LIFE_SECONDS: Final = 10
_SHORT_LIVES: Final = 3


class Child:
    """A server in a process and a session of its own: of a Ctrl-C it hears once, from us."""

    def __init__(
        self, name: str, command: list[str], *, directory: Path, environment: Mapping[str, str]
    ) -> None:
        self.name = name
        self._command = command
        self._directory = directory
        self._environment = environment
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
            start_new_session=True,
        )

    @property
    def exit_code(self) -> int | None:
        """How it ended, or None while it runs."""
        return None if self._process is None else self._process.poll()

    def start_again(self) -> bool:
        """Start it again after it died; return False where that was tried often enough."""
        is_short = time.monotonic() - self._started_at < _SHORT_LIFE_SECONDS
        self._short_lives = self._short_lives + 1 if is_short else 0
        if self._short_lives >= _SHORT_LIVES:
            return False
        self.start()
        return True

    def stop(self) -> None:
        """Ask the server and its children to end; insist when they take too long."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def run_together(main: Child, beside: Child) -> int:
    """Run two servers until the main one ends or a signal says to stop; return the exit code.

    The one beside is started again when it dies. It is the first to be stopped.
    """
    for stopping in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(stopping, _interrupt)
    try:
        beside.start()
        main.start()
        # Not wait(): a signal may reach one of the libraries' threads, and interrupts nothing.
        while main.exit_code is None:
            if beside.exit_code is not None:
                again = f"{beside.name} ended with exit code {beside.exit_code}"
                if not beside.start_again():
                    click.echo(f"{again}, time and again; stopping.", err=True)
                    return 1
                click.echo(f"{again}; it is started again.", err=True)
            time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        click.echo("Stopping …")
        return 0
    finally:
        beside.stop()
        main.stop()
    return main.exit_code


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
