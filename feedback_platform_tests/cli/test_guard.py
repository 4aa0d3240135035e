"""A guarded command ends when whoever started it is gone, and takes its own children along."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from feedback_platform_tests.cli.processes import (
    DEAF,
    TIMEOUT,
    await_end,
    await_pid,
    program,
    with_child,
)

Guarded = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    """Start a few lines of Python under a guard that gives them so many seconds to end."""
    started: list[subprocess.Popen[bytes]] = []

    def start(lines: str, seconds: float = 60) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "feedback_platform.cli.guard", str(seconds)]
        command += [sys.executable, "-c", lines]
        started.append(
            subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, cwd=tmp_path)
        )
        return started[-1]

    yield start
    for process in started:
        with process:
            process.kill()


def part_with(process: subprocess.Popen[bytes]) -> None:
    """Close the pipe, as the kernel does for a process that died."""
    assert process.stdin is not None
    process.stdin.close()
    process.wait(TIMEOUT)


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ("raise SystemExit(0)", 0),
        ("raise SystemExit(7)", 7),
        ("import os; os.kill(os.getpid(), 9)", 137),
    ],
)
def test_the_end_of_the_command_is_the_end_of_its_guard(
    guarded: Guarded, lines: str, code: int
) -> None:
    assert guarded(lines).wait(TIMEOUT) == code


def test_the_command_may_end_in_order(guarded: Guarded, tmp_path: Path) -> None:
    part = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(open('parted', 'w').close()))"
    process = guarded(program("command", first=part))
    pid = await_pid(tmp_path / "command")
    part_with(process)
    await_end([pid])
    assert (tmp_path / "parted").exists()


def test_a_command_that_will_not_end_is_killed(guarded: Guarded, tmp_path: Path) -> None:
    process = guarded(program("command", first=DEAF), seconds=0.1)
    pid = await_pid(tmp_path / "command")
    part_with(process)
    await_end([pid])


def test_what_a_command_leaves_behind_is_killed(guarded: Guarded, tmp_path: Path) -> None:
    process = guarded(program("command", with_child(program("child", first=DEAF))))
    pids = [await_pid(tmp_path / name) for name in ("command", "child")]
    part_with(process)
    await_end(pids)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_guard_is_none_to_the_command(
    guarded: Guarded, tmp_path: Path, number: signal.Signals
) -> None:
    first = "signal.signal(signal.SIGUSR1, lambda *_: sys.exit(5))"
    process = guarded(program("command", first=first))
    pid = await_pid(tmp_path / "command")
    process.send_signal(number)
    os.kill(pid, signal.SIGUSR1)
    assert process.wait(TIMEOUT) == 5


def test_a_command_may_be_interrupted_though_its_guard_was_started_in_the_background(
    guarded: Guarded, tmp_path: Path
) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = guarded(program("command"))
    finally:
        signal.signal(signal.SIGINT, before)
    os.kill(await_pid(tmp_path / "command"), signal.SIGINT)
    assert process.wait(TIMEOUT) == 130
