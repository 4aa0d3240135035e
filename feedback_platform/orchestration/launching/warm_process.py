"""The process that has imported everything: `python -m …warm_process DESCRIPTOR`.

It loads the definitions once, and forks a child for each run, so that a run begins where its work
does. It runs nothing itself, opens no database, and has no threads: only so are its children sound.
It ends when the launcher does, after the runs under way.
"""

import gc
import multiprocessing
import signal
import sys
import traceback
import warnings
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import Final

from dagster._core.origin import JobPythonOrigin
from dagster._serdes import deserialize_value
from dagster._utils.hosted_user_process import recon_job_from_origin

from feedback_platform.orchestration.launching import messages, run_process, sources, threads

_LOOK_SECONDS: Final = 1.0
_FORK: Final = multiprocessing.get_context("fork")


class WarmProcess:
    """Forks a process for each run that the launcher asks for."""

    def __init__(self, launcher: Connection) -> None:
        self._launcher = launcher
        self._runs: dict[str, BaseProcess] = {}
        self._watched: list[Path] = []
        self._loaded: sources.State = {}

    def serve(self) -> None:
        """Do what the launcher asks for until it is gone, and see the runs to their end."""
        is_asked = True
        while is_asked or self._runs:
            asking = [self._launcher] if is_asked else []
            ended = [each.sentinel for each in self._runs.values()]
            # A grandchild may keep a sentinel open after its parent died.
            ready = wait([*asking, *ended], _LOOK_SECONDS if self._runs else None)
            if self._launcher in ready:
                is_asked = self._answer()
            self._bury()

    def _answer(self) -> bool:
        """Answer one message; return False when there will be no other."""
        try:
            kind, content = messages.receive(self._launcher)
        except (EOFError, OSError):
            return False
        answer = self._load(*content) if kind == messages.LOAD else self._run(content)
        try:
            messages.send(self._launcher, *answer)
        except OSError:
            return False
        return True

    def _load(self, origin: str, watched: list[str]) -> tuple[str, object]:
        """Load the code of a job, and with it of all jobs of its repository."""
        self._watched = [Path(each) for each in watched]
        self._loaded = sources.state_of(*self._watched)
        try:
            recon_job_from_origin(deserialize_value(origin, JobPythonOrigin)).get_definition()
        except Exception:  # noqa: BLE001 - the code that is loaded may raise anything
            return messages.REFUSED, traceback.format_exc(limit=-3)
        threads.put_library_threads_away()
        # What a collection writes into each object is memory that a child no longer shares.
        gc.collect()
        gc.freeze()
        found = threads.lasting_threads()
        return (messages.THREADED, _told(found)) if found else (messages.READY, None)

    def _run(self, arguments: str) -> tuple[str, object]:
        if sources.state_of(*self._watched) != self._loaded:
            return messages.STALE, None
        found = threads.lasting_threads()
        if found:
            return messages.THREADED, _told(found)
        process = _FORK.Process(target=_in_child, args=(self._launcher, arguments))
        # A signal that comes before the child can hear it waits until it can.
        signal.pthread_sigmask(signal.SIG_BLOCK, run_process.STOPPING)
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, run_process.STOPPING)
        self._runs[arguments] = process
        return messages.STARTED, process.pid

    def _bury(self) -> None:
        for arguments, process in list(self._runs.items()):
            code = process.exitcode
            if code is None:
                continue
            del self._runs[arguments]
            if code:
                report = _FORK.Process(target=run_process.report_death, args=(arguments, code))
                report.start()
                report.join()
                report.close()
            process.close()


def _told(threads_found: list[str]) -> str:
    return f"It has threads: {threads_found}."


def _in_child(launcher: Connection, arguments: str) -> None:
    # The launcher is to notice when the warm process dies, also while its children live.
    launcher.close()
    # The other signals are for Dagster to hear.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    run_process.execute_run(arguments)


def _let_pass(_signal: int, _frame: FrameType | None) -> None:
    return


def main(descriptor: int) -> None:
    """Serve the launcher at the other end of a socket."""
    # A Ctrl-C reaches every process of a terminal. When this one ends is for the launcher to say.
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, _let_pass)
    # Python cannot know which threads do no harm; `threads` looks at each.
    warnings.filterwarnings("ignore", r".*use of fork\(\)", DeprecationWarning)
    WarmProcess(Connection(descriptor)).serve()


if __name__ == "__main__":
    main(int(sys.argv[1]))
