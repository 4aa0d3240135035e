from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from feedback_platform.cli.supervision import Child, run_together


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


Starts = Callable[[str, str], Child]


@pytest.fixture
def child(tmp_path: Path) -> Starts:
    """Make a server out of a few lines; each start leaves its process id in a file."""

    def make(name: str, lines: str) -> Child:
        noted = f"import os, time\nopen({name!r}, 'a').write(f'{{os.getpid()}}\\n')\n"
        return Child(
            name,
            [sys.executable, "-c", noted + lines],
            directory=tmp_path,
            environment=dict(os.environ),
        )

    return make


def starts(tmp_path: Path, name: str) -> list[int]:
    file = tmp_path / name
    return [int(line) for line in file.read_text().splitlines()] if file.exists() else []


def lives(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def test_the_end_of_the_main_server_is_the_end_of_both(child: Starts, tmp_path: Path) -> None:
    main = child("main", "time.sleep(0.5); raise SystemExit(3)")
    beside = child("beside", "time.sleep(60)")
    assert run_together(main, beside) == 3
    assert [lives(pid) for pid in starts(tmp_path, "beside")] == [False]


def test_the_server_beside_is_started_again_when_it_dies(
    child: Starts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main = child("main", "time.sleep(2.5)")
    beside = child("beside", "time.sleep(60)")

    def kill_first() -> None:
        while not starts(tmp_path, "beside"):
            time.sleep(0.02)
        os.kill(starts(tmp_path, "beside")[0], signal.SIGKILL)

    killer = threading.Thread(target=kill_first)
    killer.start()
    assert run_together(main, beside) == 0
    killer.join()
    assert len(starts(tmp_path, "beside")) == 2
    assert "beside ended with exit code -9; it is started again." in capsys.readouterr().err


def test_a_server_that_will_not_live_ends_both(
    child: Starts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main = child("main", "time.sleep(60)")
    beside = child("beside", "raise SystemExit(7)")
    assert run_together(main, beside) == 1
    assert len(starts(tmp_path, "beside")) == 3
    assert [lives(pid) for pid in starts(tmp_path, "main")] == [False]
    assert "time and again" in capsys.readouterr().err


def test_a_signal_ends_both_and_is_no_failure(
    child: Starts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main = child("main", "time.sleep(60)")
    beside = child("beside", "time.sleep(60)")
    timer = threading.Timer(1, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    assert run_together(main, beside) == 0
    pids = [*starts(tmp_path, "main"), *starts(tmp_path, "beside")]
    assert [lives(pid) for pid in pids] == [False, False]
    assert "Stopping" in capsys.readouterr().out
