"""Which threads a process has, because only one without others may fork."""

import multiprocessing
import threading
from pathlib import Path
from typing import Final

_TASKS: Final = Path("/proc/self/task")
# Threads of allocators, which see to themselves when a process forks (pthread_atfork), and Polars'
# own for spilled files, which waits on an empty queue until something is spilled.
_HARMLESS: Final = frozenset({"jemalloc_bg_thd", "polars-ooc-clea"})


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


def _nothing() -> None:
    return
