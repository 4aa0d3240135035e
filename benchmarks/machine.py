"""What machine a benchmark ran on; every script says it in the same words, before it begins.

python benchmarks/machine.py
"""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psutil

# Work of others for more than so much of a core, and the clock tells of them, too.
_IDLE: Final = 0.3


def say_what_machine() -> None:
    """Print architecture, cores, memory, Python, load and date, and whether there was other work.

    The load is the mean number of processes that were ready to run, over one and over five minutes:
    call it before anything of the benchmark's own is started.
    """
    load, of_late, _ = psutil.getloadavg()
    print(
        f"{platform.system()} on {platform.machine()}, {_cores()} cores, "
        f"{psutil.virtual_memory().total / 2**30:.0f} GiB, Python {platform.python_version()}; "
        f"load {load:.1f} before the start, {of_late:.1f} over five minutes; "
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    )
    if load > _IDLE:
        print("It has, or just had, other work: compare within this run, and trust no clock.")
    print(flush=True)


def _cores() -> str:
    """Return how many cores there are for this process: a container may have less than all."""
    usable = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0)
    usable = usable or float(psutil.cpu_count() or 1)
    limit = Path("/sys/fs/cgroup/cpu.max")
    if limit.is_file():
        share, _, period = limit.read_text("ascii").partition(" ")
        if share != "max":
            usable = min(usable, int(share) / int(period))
    return f"{usable:g}"


if __name__ == "__main__":
    say_what_machine()
