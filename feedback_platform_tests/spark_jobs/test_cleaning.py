from __future__ import annotations

import subprocess
import sys

import psutil
import pytest

from feedback_platform.spark_jobs.cleaning import main
from feedback_platform_tests.waiting import until

_JOB = """
import os, time
from feedback_platform.spark_jobs.cleaning import _end_with
_end_with(os.getppid())
print(os.getpid(), flush=True)
time.sleep(600)
"""
# Gone as if it had been killed, once the job watches.
_CALLER = f"""
import os, subprocess, sys
job = subprocess.Popen([sys.executable, "-c", {_JOB!r}], stdout=subprocess.PIPE)
print(int(job.stdout.readline()), flush=True)
os._exit(1)
"""


def test_whoever_starts_the_job_by_hand_is_told_what_to_start_instead(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main() == 2
    assert "FEEDBACK_ENGINE=spark feedback-platform process" in capsys.readouterr().err


def has_ended(number: int) -> bool:
    try:
        return bool(psutil.Process(number).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def test_a_job_ends_after_the_process_that_started_it_was_killed() -> None:
    printed = subprocess.run(
        [sys.executable, "-c", _CALLER], capture_output=True, text=True, check=False
    ).stdout

    job = int(printed)
    until(lambda: has_ended(job))
