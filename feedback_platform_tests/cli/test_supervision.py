from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from feedback_platform.cli import supervision
from feedback_platform.cli.supervision import Child, Patience, run_together
from feedback_platform_tests.cli.processes import (
    DEAF,
    SLEEP,
    TIMEOUT,
    await_end,
    await_pid,
    noted,
    program,
    with_child,
)
from feedback_platform_tests.waiting import until

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PAUSE = "time.sleep(0.05)"
# Every death is one too many after the third; nobody waits for long.
IMPATIENT = Patience(short_life=TIMEOUT, lives=3, rest=0.1)

Starts = Callable[..., Child]


@pytest.fixture
def child(tmp_path: Path) -> Starts:
    """Make a server out of a few lines; each start leaves its process id in a file."""

    def make(name: str, then: str = SLEEP, *, first: str = "", **more: Any) -> Child:
        return Child(
            name,
            [sys.executable, "-c", program(name, then, first=first)],
            directory=tmp_path,
            environment=dict(os.environ),
            stop_seconds=2 * TIMEOUT,
            patience=IMPATIENT,
            **more,
        )

    return make


@contextmanager
def meanwhile(act: Callable[[], None]) -> Iterator[None]:
    """Do something in a thread, while this one supervises."""
    thread = threading.Thread(target=act)
    thread.start()
    yield
    thread.join()


def stop_after_two_starts(file: Path) -> None:
    try:
        until(lambda: len(noted(file)) == 2, seconds=TIMEOUT)
    finally:
        os.kill(os.getpid(), signal.SIGTERM)


def test_a_server_is_started_again_when_it_dies_and_the_other_does_not_notice(
    child: Starts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepared: list[int] = []

    def kill_first() -> None:
        await_pid(tmp_path / "other")
        os.kill(await_pid(tmp_path / "dying"), signal.SIGKILL)
        stop_after_two_starts(tmp_path / "dying")

    dying = child("dying", prepare=lambda: prepared.append(len(noted(tmp_path / "dying"))))
    with meanwhile(kill_first):
        assert run_together(dying, child("other")) == 0
    assert len(noted(tmp_path / "other")) == 1
    assert prepared == [0, 1]
    assert "dying ended with exit code 137; it is started again." in capsys.readouterr().err


def test_what_a_server_left_behind_is_ended_before_it_is_started_again(
    child: Starts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def kill_the_guard() -> None:
        os.kill(psutil.Process(await_pid(tmp_path / "beside")).ppid(), signal.SIGKILL)
        stop_after_two_starts(tmp_path / "beside")

    with meanwhile(kill_the_guard):
        assert run_together(child("main"), child("beside")) == 0
    await_end(noted(tmp_path / "beside"))
    assert "beside ended with exit code 137; it is started again." in capsys.readouterr().err


def test_a_server_that_has_lost_the_part_that_it_is_no_use_without_is_started_again(
    child: Starts,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supervision, "_LOOK_SECONDS", 0.1)

    def kill_the_part() -> None:
        part = await_pid(tmp_path / "part")
        # It has to be seen before it can be missed.
        time.sleep(1)
        os.kill(part, signal.SIGKILL)
        stop_after_two_starts(tmp_path / "whole")

    # In the command of the whole, which has that of the part in it, the line breaks are escaped.
    whole = child("whole", with_child(program("part")), part="\nopen('part'")
    with meanwhile(kill_the_part):
        assert run_together(whole) == 0
    await_end([*noted(tmp_path / "part"), *noted(tmp_path / "whole")])
    assert "whole lost its process `\nopen('part'`; it is" in capsys.readouterr().err


def test_a_server_that_will_not_live_is_given_more_and_more_time_and_then_ends_all(
    child: Starts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_together(child("main"), child("beside", "raise SystemExit(7)")) == 1
    assert len(noted(tmp_path / "beside")) == 3
    await_end(noted(tmp_path / "main"))
    said = capsys.readouterr().err.splitlines()
    assert said[:2] == [
        "beside ended with exit code 7; it is started again.",
        "beside ended with exit code 7; it is started again in 0.1 s.",
    ]
    assert said[2].startswith("beside ended with exit code 7, 3 times in a row within 30 s")


def test_what_a_server_left_behind_is_ended_with_all(child: Starts, tmp_path: Path) -> None:
    lines = program("left", first=DEAF)
    waiting = f"while not os.path.exists('left'): {PAUSE}\nraise SystemExit(3)"
    assert run_together(child("beside"), child("main", with_child(lines, waiting))) == 1
    await_end(noted(tmp_path / "left"))


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_ends_both_and_is_no_failure(
    child: Starts, tmp_path: Path, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    def stop() -> None:
        for name in ("main", "beside"):
            await_pid(tmp_path / name)
        os.kill(os.getpid(), number)

    handler = signal.getsignal(number)
    with meanwhile(stop):
        assert run_together(child("main"), child("beside")) == 0
    assert signal.getsignal(number) == handler
    await_end([*noted(tmp_path / "main"), *noted(tmp_path / "beside")])
    assert "Stopping" in capsys.readouterr().out


@pytest.mark.parametrize("number", STOPPING)
def test_a_second_signal_ends_at_once_what_would_take_its_time(
    child: Starts, tmp_path: Path, number: signal.Signals
) -> None:
    asked = "signal.signal(signal.SIGTERM, lambda *_: print(1, file=open('asked', 'a')))"
    beside = child("beside", with_child(program("left", first=DEAF)), first=asked)
    main = child("main", first=DEAF)

    def stop() -> None:
        for name in ("main", "beside", "left"):
            await_pid(tmp_path / name)
        os.kill(os.getpid(), signal.SIGTERM)
        await_pid(tmp_path / "asked")
        os.kill(os.getpid(), number)

    began = time.monotonic()
    with meanwhile(stop):
        assert run_together(beside, main) == 0
    assert time.monotonic() - began < TIMEOUT
    await_end([pid for name in ("main", "beside", "left") for pid in noted(tmp_path / name)])


SUPERVISOR = """
import os, sys
from pathlib import Path
from feedback_platform.cli.supervision import Child, run_together

def child(name, lines):
    command = [sys.executable, "-c", lines]
    return Child(name, command, directory=Path(), environment=os.environ, stop_seconds=1)

run_together(child("main", sys.argv[1]), child("beside", sys.argv[2]))
"""


HOLDER = """
import fcntl, os, sys
from pathlib import Path
from feedback_platform.cli.supervision import Child, run_together

def child(name, lines):
    command = [sys.executable, "-c", lines]
    return Child(name, command, directory=Path(), environment=os.environ, held=[lock.fileno()])

with open("lock", "w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    run_together(child("main", sys.argv[1]), child("beside", sys.argv[2]))
"""


def test_a_lock_lasts_until_the_servers_of_a_killed_holder_have_ended(tmp_path: Path) -> None:
    # It ends in order, but in its own time.
    waiting = f"while not os.path.exists('may-end'): {PAUSE}"
    asked = "signal.signal(signal.SIGTERM, lambda *_: print(1, file=open('asked', 'a')))"
    command = [sys.executable, "-c", HOLDER, program("main", waiting, first=asked)]
    with subprocess.Popen([*command, program("beside")], cwd=tmp_path) as holder:
        pids = [await_pid(tmp_path / name) for name in ("main", "beside")]
        guards = [psutil.Process(pid).ppid() for pid in pids]
        holder.kill()
    await_pid(tmp_path / "asked")
    with (tmp_path / "lock").open() as lock:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # What the servers start may live on without harm to the lock.
        assert "lock" not in [Path(each.path).name for each in psutil.Process(pids[0]).open_files()]
        (tmp_path / "may-end").touch()
        await_end([*pids, *guards])
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_nothing_outlives_whoever_started_it_even_if_that_is_killed(tmp_path: Path) -> None:
    main = program("main", with_child(program("left", first=DEAF)))
    beside = program("beside", first=DEAF)
    command = [sys.executable, "-c", SUPERVISOR, main, beside]
    with subprocess.Popen(command, cwd=tmp_path) as supervisor:
        for name in ("main", "left", "beside"):
            await_pid(tmp_path / name)
        started = [each.pid for each in psutil.Process(supervisor.pid).children(recursive=True)]
        supervisor.kill()
    # Two guards beside the three.
    assert len(started) == 5
    await_end(started)
