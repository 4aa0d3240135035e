"""Workers and who supervises them, without a web server: whoever dies, whenever a signal comes."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from feedback_platform_tests.serving import supervised
from feedback_platform_tests.waiting import until

Start = Callable[..., subprocess.Popen[str]]
SOME_LINES = range(1, supervised.LINES, 15)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a supervisor of two workers, which leave a file each when they start."""
    started: list[subprocess.Popen[str]] = []

    def start(behaviour: str, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", supervised.__name__, behaviour, str(tmp_path), *arguments]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "listening\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def workers(directory: Path) -> dict[int, int]:
    """Process id and place of each worker that was started."""
    names = [path.name.split("-") for path in directory.iterdir()]
    return {int(pid): int(place) for place, pid in names}


def all_ended(directory: Path) -> bool:
    return not any(Path(f"/proc/{pid}").exists() for pid in workers(directory))


def stopped(process: subprocess.Popen[str], tmp_path: Path) -> str:
    """What a supervisor has said when it has ended in order, and all its workers."""
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    assert all_ended(tmp_path)
    return errors


def test_a_signal_ends_all_workers(start: Start, tmp_path: Path) -> None:
    process = start("willing")
    until(lambda: len(workers(tmp_path)) == 2)
    process.terminate()
    assert stopped(process, tmp_path) == ""


def test_a_worker_that_hears_no_signal_is_killed_in_time(start: Start, tmp_path: Path) -> None:
    process = start("deaf")
    until(lambda: len(workers(tmp_path)) == 2)
    began = time.monotonic()
    process.terminate()
    assert "Worker 0 did not stop in time; it is killed." in stopped(process, tmp_path)
    assert time.monotonic() - began >= supervised.DEAF_SECONDS


def test_ctrl_c_ends_all_workers_and_pressed_again_at_once(start: Start, tmp_path: Path) -> None:
    process = start("deaf")
    until(lambda: len(workers(tmp_path)) == 2)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    stopped(process, tmp_path)


def test_a_worker_that_dies_is_replaced_at_its_place(start: Start, tmp_path: Path) -> None:
    process = start("mortal")
    until(lambda: sorted(workers(tmp_path).values()) == [0, 0, 1, 1])
    process.terminate()
    assert "Worker 1 ended with exit code 9 and is replaced." in stopped(process, tmp_path)


def test_a_worker_that_is_silent_is_killed_and_replaced(start: Start, tmp_path: Path) -> None:
    process = start("willing")
    until(lambda: len(workers(tmp_path)) == 2)
    (first,) = (pid for pid, place in workers(tmp_path).items() if place == 0)
    os.kill(first, signal.SIGSTOP)
    until(lambda: list(workers(tmp_path).values()).count(0) > 1)
    process.terminate()
    assert "Worker 0 does not answer; it is killed." in stopped(process, tmp_path)


def test_workers_that_cannot_start_are_not_started_again_and_again(
    start: Start, tmp_path: Path
) -> None:
    process = start("hopeless")
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "cannot start." in errors
    assert len(workers(tmp_path)) <= 2


def test_one_that_cannot_start_ends_nobody_who_did(start: Start, tmp_path: Path) -> None:
    process = start("hapless")
    until(lambda: len(workers(tmp_path)) == 2)
    (first,) = (pid for pid, place in workers(tmp_path).items() if place == 0)
    os.kill(first, signal.SIGKILL)
    until(lambda: list(workers(tmp_path).values()).count(0) == 3)
    process.terminate()
    assert "Worker 0 ended with exit code 3 and is replaced." in stopped(process, tmp_path)


def test_a_system_that_has_no_room_for_a_worker_ends_nobody(start: Start, tmp_path: Path) -> None:
    process = start("willing")
    assert process.stderr is not None
    until(lambda: len(workers(tmp_path)) == 2)
    before = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (3, before[1]))
    (first,) = (pid for pid, place in workers(tmp_path).items() if place == 0)
    os.kill(first, signal.SIGKILL)
    assert process.stderr.readline() == "Worker 0 ended with exit code -9 and is replaced.\n"
    assert process.stderr.readline().startswith("Worker 0 cannot be started now: ")
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, before)
    until(lambda: list(workers(tmp_path).values()).count(0) == 2)
    process.terminate()
    stopped(process, tmp_path)


def test_nobody_is_killed_for_a_silence_in_which_the_supervisor_was_stopped_too(
    start: Start, tmp_path: Path
) -> None:
    process = start("willing")
    until(lambda: len(workers(tmp_path)) == 2)
    everybody = [process.pid, *workers(tmp_path)]
    for pid in reversed(everybody):
        # The supervisor last: it has heard all that was said.
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.3)
    time.sleep(supervised.SILENCE_SECONDS)
    for pid in everybody:
        os.kill(pid, signal.SIGCONT)
        # The supervisor first: it looks before anybody could say anything.
        time.sleep(0.3)
    process.terminate()
    assert stopped(process, tmp_path) == ""


def test_who_hangs_while_it_stops_is_ended_and_says_where(start: Start) -> None:
    process = start("hanging")

    def has_ended() -> bool:
        # However often it is told.
        process.terminate()
        return process.poll() is not None

    until(has_ended)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert errors.startswith("Timeout")
    assert "supervised.py" in errors


def ends_at(line: int, start: Start, tmp_path: Path) -> None:
    assert stopped(start("willing", str(line)), tmp_path) == ""


@pytest.mark.parametrize("line", SOME_LINES)
def test_a_signal_at_any_line_ends_the_tree(line: int, start: Start, tmp_path: Path) -> None:
    ends_at(line, start, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("line", sorted({*range(1, supervised.LINES)} - {*SOME_LINES}))
def test_a_signal_at_each_line_ends_the_tree(line: int, start: Start, tmp_path: Path) -> None:
    ends_at(line, start, tmp_path)


@pytest.mark.parametrize("after", [0.0, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3])
def test_a_signal_at_any_age_of_the_workers_ends_the_tree(
    after: float, start: Start, tmp_path: Path
) -> None:
    process = start("willing")
    time.sleep(after)
    process.terminate()
    assert stopped(process, tmp_path) == ""
