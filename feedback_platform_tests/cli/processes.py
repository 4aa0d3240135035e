"""Programs of a few lines that say who they are, and whether they still run."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

import psutil

DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
SLEEP = "time.sleep(60)"
TIMEOUT = 30


def program(name: str, then: str = SLEEP, *, first: str = "") -> str:
    """Lines that prepare something, add their process id to the file of a name, and go on."""
    note = f"open({name!r}, 'a').write(f'{{os.getpid()}}\\n')"
    return f"import os, signal, subprocess, sys, time\n{first}\n{note}\n{then}"


def with_child(lines: str, then: str = SLEEP) -> str:
    """What starts another program and then goes on by itself."""
    return f"subprocess.Popen([sys.executable, '-c', {lines!r}])\n{then}"


def noted(file: Path) -> list[int]:
    """The process ids that a program added to its file, one at each start."""
    lines = file.read_text().splitlines(keepends=True) if file.exists() else []
    return [int(line) for line in lines if line.endswith("\n")]


def await_pid(file: Path) -> int:
    """Wait until a program has started; return its process id."""
    deadline = time.monotonic() + TIMEOUT
    while not noted(file):
        assert time.monotonic() < deadline, f"{file.name} did not start"
        time.sleep(0.02)
    return noted(file)[-1]


def lives(pid: int) -> bool:
    """Whether a process runs; one that only waits for somebody to read its exit code does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def await_end(pids: Iterable[int], seconds: float = TIMEOUT) -> None:
    """Wait until processes run no more."""
    deadline = time.monotonic() + seconds
    while running := [pid for pid in pids if lives(pid)]:
        assert time.monotonic() < deadline, f"still running: {running}"
        time.sleep(0.02)
