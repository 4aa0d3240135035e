"""`dev` killed without a word: no server, nor anything that one of them started, lives on."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

from feedback_platform_tests.cli.processes import await_end

START_SECONDS = 180
# What Dagster's own bound and ours allow, and a little more.
STOP_SECONDS = 45


def free_ports(count: int) -> list[int]:
    with ExitStack() as opened:
        servers = [
            opened.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)
        ]
        return [each.getsockname()[1] for each in servers]


def await_answer(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        try:
            with urlopen(url, timeout=5):  # noqa: S310 - an address of this machine
                return
        except OSError:
            time.sleep(0.1)


def await_lock(file: Path) -> None:
    deadline = time.monotonic() + STOP_SECONDS
    with file.open() as lock:
        while time.monotonic() < deadline:
            with suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            time.sleep(0.02)
    pytest.fail("somebody still holds the lock")


@pytest.mark.slow
def test_nothing_of_it_is_left_when_it_is_killed(tmp_path: Path) -> None:
    port, api_port, dashboard_port = free_ports(3)
    log = tmp_path / "dev.log"
    command = [sys.executable, "-m", "feedback_platform", "dev", "--no-demo-data"]
    command += ["--data-dir", str(tmp_path / "data")]
    command += ["--port", str(port), "--api-port", str(api_port)]
    command += ["--dashboard-port", str(dashboard_port)]
    with log.open("wb") as output:
        dev = subprocess.Popen(command, stdout=output, stderr=output, env=dict(os.environ))
    with dev:
        try:
            await_answer(f"http://127.0.0.1:{api_port}/healthz", dev, log)
            await_answer(f"http://127.0.0.1:{dashboard_port}/_stcore/health", dev, log)
            await_answer(f"http://127.0.0.1:{port}/server_info", dev, log)
            started = psutil.Process(dev.pid).children(recursive=True)
            commands = [" ".join(each.cmdline()) for each in started]
        finally:
            dev.kill()
    # Three guards, API, dashboard, and of Dagster's: itself, two for the code, web server, daemon.
    assert len(started) >= 9, commands
    await_lock(tmp_path / "data" / "dagster" / "server.lock")
    # Nobody could start another server on the data while one of these was left.
    await_end([each.pid for each in started], 1)
    for each in (port, api_port, dashboard_port):
        socket.create_server(("127.0.0.1", each)).close()
