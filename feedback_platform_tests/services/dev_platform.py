"""`feedback-platform dev` with all that it starts, on a directory and ports of its own.

Whatever belongs to it is known by a variable of its environment, which every process inherits,
whoever its parent is by now.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

import dagster as dg
import psutil

from feedback_platform.orchestration.runs import PROCESS_TAG
from feedback_platform_tests.installation import Installation
from feedback_platform_tests.services.processes import answers, free_port

_MARK: Final = "FEEDBACK_TEST_PLATFORM"
# However busy the machine.
START_SECONDS: Final = 900.0
STOP_SECONDS: Final = 60.0


class Platform:
    """The platform of a data directory, started again and again."""

    def __init__(self, directory: Path) -> None:
        self.installation = Installation(directory / "data")
        self.api_port, self.port = free_port(), free_port()
        self._dashboard_port = free_port()
        self._mark = uuid4().hex
        self._log = directory / "dev.log"
        self._dev: subprocess.Popen[bytes] | None = None
        self.starts = 0

    @property
    def log(self) -> str:
        """What it printed, of all its lives."""
        return self._log.read_text(errors="replace")

    def start(self) -> None:
        """Start it, again where what is left of the one before still has its data or its ports."""
        deadline = time.monotonic() + START_SECONDS
        command = [sys.executable, "-m", "feedback_platform", "dev", "--no-demo-data"]
        command += ["--data-dir", str(self.installation.settings.data_dir)]
        command += ["--port", str(self.port), "--api-port", str(self.api_port)]
        command += ["--dashboard-port", str(self._dashboard_port)]
        while True:
            with self._log.open("ab") as log:
                self._dev = subprocess.Popen(
                    command, stdout=log, stderr=log, env={**os.environ, _MARK: self._mark}
                )
            self.starts += 1
            while self._dev.poll() is None:
                if self.answers():
                    return
                assert time.monotonic() < deadline, self.log
                time.sleep(0.2)
            # The ports, or the lock on its data, of those that stop in order after a kill.
            assert time.monotonic() < deadline, self.log
            time.sleep(1)

    def start_where_it_ended(self) -> None:
        if self._dev is None or self._dev.poll() is not None:
            self.start()

    def answers(self) -> bool:
        return all(
            answers(f"http://127.0.0.1:{port}{path}")
            for port, path in (
                (self.api_port, "/healthz"),
                (self.port, "/server_info"),
                (self._dashboard_port, "/_stcore/health"),
            )
        )

    def processes(self) -> list[psutil.Process]:
        """All that lives of it, the oldest first; whatever its place in the tree."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get(_MARK) == self._mark:
                    found.append((process.create_time(), process.pid, process))
        return [process for _, _, process in sorted(found, key=lambda each: each[:2])]

    def kill_one(self, chance: random.Random) -> str:
        """Kill a process without a word; return what it was."""
        living = self.processes()
        return _killed(chance.choice(living)) if living else "nobody was there"

    def kill_run(self, after: float, seconds: float) -> str:
        """Kill the process of a run that works; return what it was.

        Args:
            after: seconds to let it work; less where runs end before.
            seconds: how long to wait for a run.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._working():
                time.sleep(after)
                for job, process in self._working():
                    return f"{_killed(process)} (a run of {job})"
                after /= 2
            self.start_where_it_ended()
            time.sleep(0.2)
        raise AssertionError(f"no run in {seconds:.0f} s\n{self.log}")

    def _working(self) -> list[tuple[str, psutil.Process]]:
        """The jobs of the runs that are under way, with their processes, as the runs tell them."""
        living = {process.pid: process for process in self.processes()}
        home = str(self.installation.settings.dagster_home)
        with dg.DagsterInstance.from_config(home) as instance:
            runs = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
        told = [(run.job_name, run.tags.get(PROCESS_TAG, "").partition(":")[0]) for run in runs]
        return [(job, living[int(pid)]) for job, pid in told if pid and int(pid) in living]

    def stop(self) -> list[str]:
        """End it in order; return what is left of it then, which is killed."""
        if self._dev is not None and self._dev.poll() is None:
            self._dev.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._dev.wait(STOP_SECONDS)
        deadline = time.monotonic() + STOP_SECONDS
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.2)
        said = []
        for process in left:
            with suppress(psutil.Error):
                said.append(" ".join(process.cmdline()))
                process.kill()
        return said


def _killed(victim: psutil.Process) -> str:
    command = ""
    with suppress(psutil.Error):
        command = " ".join(victim.cmdline()[1:])
        victim.kill()
    return f"{victim.pid} {command[:90]}"
