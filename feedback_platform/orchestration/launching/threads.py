"""Which threads a process has, because only one without others may fork."""

import multiprocessing
import threading
import time
from pathlib import Path
from typing import Final

_TASKS: Final = Path("/proc/self/task")
# Threads of allocators, which see to themselves when a process forks (pthread_atfork), and Polars'
# own for spilled files, which waits on an empty queue until something is spilled.
_HARMLESS: Final = frozenset({"jemalloc_bg_thd", "polars-ooc-clea"})
_PAUSE_SECONDS: Final = 0.01


def put_library_threads_away() -> None:
    """Let OpenBLAS end its threads, as it does at each fork; they come back when they have work."""
    process = multiprocessing.get_context("fork").Process(target=_nothing)
    process.start()
    process.join()


def other_threads() -> list[str]:
    """Return the names of the threads in this process that a fork could catch holding a lock."""
    if not _TASKS.is_dir():
        return [each.name for each in threading.enumerate()[1:]]
    own = str(threading.get_native_id())
    names = [
        (task / "comm").read_text(encoding="utf-8").strip()
        for task in _TASKS.iterdir()
        if task.name != own
    ]
    return sorted(name for name in names if name not in _HARMLESS)


def lasting_threads(seconds: float = 5.0) -> list[str]:
    """Return the names of other threads that do not end by themselves.

    A thread that was joined stands in the list of the kernel a moment longer, and that moment is
    long on a busy machine.

    Args:
        seconds: how long to wait for them to be gone.
    """
    until = time.monotonic() + seconds
    while (found := other_threads()) and time.monotonic() < until:
        time.sleep(_PAUSE_SECONDS)
    return found


def _nothing() -> None:
    return
