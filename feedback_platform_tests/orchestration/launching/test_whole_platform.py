"""What the fast tests show of small jobs, of the platform's own code and of a killed daemon."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import dagster as dg
import psutil
import pytest

from feedback_platform.orchestration.jobs import PROCESS
from feedback_platform.settings import dagster_environment
from feedback_platform_tests.installation import Installation
from feedback_platform_tests.orchestration.launching.launched import PATIENCE, Launched, processes
from feedback_platform_tests.waiting import until

_DAEMON = """
import sys, time
from pathlib import Path
from feedback_platform_tests.orchestration.launching.launched import Launched
launched = Launched(Path(sys.argv[1]))
launched.start("waiting")
time.sleep(600)
"""


@pytest.mark.slow  # test_launcher.py lets the socket close without a kill
def test_nothing_is_left_of_a_killed_daemon_but_a_run_until_its_end(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _DAEMON, str(tmp_path)]) as daemon:
        try:
            own, parent = processes(tmp_path / "told-1")
            members = [psutil.Process(own), psutil.Process(parent)]
        finally:
            daemon.kill()

    assert all(each.is_running() for each in members)
    (tmp_path / "told-1").unlink()

    until(lambda: not any(map(lives, members)), seconds=PATIENCE)


@pytest.mark.slow  # test_launcher.py does so with jobs that are loaded at once
def test_a_micro_batch_of_the_platform_is_forked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation = Installation(tmp_path / "data")
    installation.simulate(users=30, days=1)
    for name, value in dagster_environment(installation.settings).items():
        monkeypatch.setenv(name, value)
    launched = Launched(
        tmp_path, module="feedback_platform.definitions", definitions=installation.definitions
    )
    # Nobody has parsed the project there before, which is not to leave threads behind.
    shutil.rmtree(installation.settings.dbt_target_dir, ignore_errors=True)

    run, _ = launched.start(PROCESS)

    assert launched.ended(run) == dg.DagsterRunStatus.SUCCESS
    assert launched.fallback.asked == []
    assert installation.query("select count(*) as n from interaction.interactions")["n"].item() > 0
    launched.close()


def lives(process: psutil.Process) -> bool:
    return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
