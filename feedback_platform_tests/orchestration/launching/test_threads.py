from __future__ import annotations

from threading import Event, Thread

from feedback_platform.orchestration.launching.threads import other_threads


def test_a_thread_of_python_is_one_that_a_fork_could_catch() -> None:
    before, is_over = len(other_threads()), Event()
    thread = Thread(target=is_over.wait)
    thread.start()

    during = len(other_threads())

    is_over.set()
    thread.join()
    assert during == before + 1
