"""Servers side by side: started together, watched, started again when they die, ended in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

import click
import psutil

from feedback_platform.cli import guard

_STOP_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.2
# How often somebody looks for a part of a server, how often in a row it has to be missing, and how
# long it may take to be there.
_LOOK_SECONDS: Final = 2.0
_MISSED: Final = 2
_PART_STARTS_SECONDS: Final = 600.0


@dataclass(frozen=True)
class Patience:
    """How often a server that dies is started again.

    Attributes:
        short_life: seconds; once a server has lived for longer, its earlier deaths are forgotten.
        lives: after so many short lives in a row it is given up.
        rest: seconds until the start after the second death in a row, twice as long after each
            further one; after the first one it starts at once.
    """

    short_life: float = 60.0
    lives: int = 5
    rest: float = 1.0


class Child:
    """A server in a session of its own: of a Ctrl-C it hears once, from us.

    Between it and us is a guard, which ends it when we are no more. None of its own children
    outlives it. The guard alone keeps open the files that are to be `held`, by their descriptors:
    a lock on one of them lasts until the server has ended, whoever dies before.

    Where `part` is given, some process below the server has these words in its command, and the
    server is of no use without: it is ended when that process is gone. Before each start
    `prepare` is called; of the server that ran before, nothing is left by then.
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
        part: str = "",
        prepare: Callable[[], None] = lambda: None,
        patience: Patience = Patience(),
    ) -> None:
        self.name = name
        self._command = [sys.executable, "-m", guard.__name__, str(stop_seconds), *command]
        self._directory = directory
        self._environment = environment
        self._held = tuple(held)
        self._process: subprocess.Popen[bytes] | None = None
        self._part = _Part(part) if part else None
        self._prepare = prepare
        self._patience = patience
        self._started_at = 0.0
        self._starts_at = 0.0
        self._short_lives = 0

    def start(self) -> None:
        """Start the server."""
        self._prepare()
        self._started_at = time.monotonic()
        if self._part is not None:
            self._part.expect(self._started_at)
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            self._command,
            cwd=self._directory,
            env=dict(self._environment),
            stdin=subprocess.PIPE,
            pass_fds=self._held,
            start_new_session=True,
        )

    def look_after(self) -> bool:
        """Start it again where it has died, and say so; return False where that is in vain."""
        now = time.monotonic()
        if self._process is None:
            if now >= self._starts_at:
                self.start()
            return True
        if self._process.poll() is not None:
            return self._rest(f"{self.name} ended with exit code {self._end()}", now)
        if self._part is not None and self._part.is_lost(self._process.pid, now):
            self._end()
            return self._rest(f"{self.name} lost its process `{self._part.words}`", now)
        return True

    def _rest(self, what: str, now: float) -> bool:
        """Say when it is started again after what happened; return False where never."""
        is_short = now - self._started_at < self._patience.short_life
        self._short_lives = self._short_lives + 1 if is_short else 1
        if self._short_lives >= self._patience.lives:
            click.echo(
                f"{what}, {self._short_lives} times in a row within "
                f"{self._patience.short_life:.0f} s of its start. What it said above tells why; "
                "stopping.",
                err=True,
            )
            return False
        rest = self._patience.rest * 2 ** (self._short_lives - 2) if self._short_lives > 1 else 0.0
        self._starts_at = now + rest
        after = f" in {rest:g} s" if rest else ""
        click.echo(f"{what}; it is started again{after}.", err=True)
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
        """Kill what is left of the process group; return the exit code that a shell would show."""
        process, self._process = self._process, None
        assert process is not None  # noqa: S101
        # Nobody there, or (on macOS) nobody but the dead.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        with process:
            return guard.exit_code(process.wait())


class _Part:
    """A process below a server, known by words that stand in its command one after another."""

    def __init__(self, words: str) -> None:
        self.words = words
        self.expect(0.0)

    def expect(self, now: float) -> None:
        """Begin anew with a server that has just been started."""
        self._since = self._looked_at = now
        self._was_there = False
        self._missed = 0

    def is_lost(self, pid: int, now: float) -> bool:
        """Return whether it was there and is not any more, or did not come in time."""
        if now - self._looked_at < _LOOK_SECONDS:
            return False
        self._looked_at = now
        if self._is_below(pid):
            self._was_there, self._missed = True, 0
            return False
        self._missed += 1
        # Where it is being replaced, there may be none for a moment.
        if self._was_there:
            return self._missed >= _MISSED
        return now - self._since > _PART_STARTS_SECONDS

    def _is_below(self, pid: int) -> bool:
        with suppress(psutil.NoSuchProcess):
            for each in psutil.Process(pid).children(recursive=True):
                with suppress(psutil.Error):
                    if self.words in " ".join(each.cmdline()):
                        return True
        return False


def run_together(*children: Child) -> int:
    """Run servers until a signal says to stop, or one of them will not live; return the exit code.

    One that dies is started again. In the end they are stopped in their order. A signal that comes
    while they stop kills them.
    """
    with _noted_signals() as signals:
        try:
            for child in children:
                child.start()
            return _watch(children, signals)
        finally:
            heard = len(signals)
            for child in children:
                child.stop(lambda: len(signals) > heard)


def _watch(children: Sequence[Child], signals: Sized) -> int:
    while not signals:
        for child in children:
            if not child.look_after():
                return 1
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
