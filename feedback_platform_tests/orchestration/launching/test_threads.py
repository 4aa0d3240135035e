from __future__ import annotations

from threading import Event, Thread, Timer

from feedback_platform.orchestration.launching.threads import lasting_threads, other_threads


def test_a_thread_of_python_is_one_that_a_fork_could_catch() -> None:
    before, is_over = len(other_threads()), Event()
    thread = Thread(target=is_over.wait)
    thread.start()

    during = len(other_threads())

    is_over.set()
    thread.join()
    assert during == before + 1


def test_a_thread_that_ends_is_waited_for() -> None:
    before = lasting_threads(seconds=0)
    ending = Timer(0.1, lambda: None)
    ending.start()

    # Threads of libraries that this process has anyway are waited for in vain.
    assert len(lasting_threads(seconds=1.0)) == len(before)


def test_a_thread_that_stays_is_named() -> None:
    before, is_over = len(other_threads()), Event()
    staying = Thread(target=is_over.wait)
    staying.start()

    assert len(lasting_threads(seconds=0.1)) == before + 1

    is_over.set()
    staying.join()
