"""A program that supervises workers without a web server: `… BEHAVIOUR [LINE]`.

With the number of a line it tells itself to stop when it has come to that many lines of what it
tests. It knows nothing that takes long to import, so that it starts quickly and often.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any

from feedback_platform.serving.stop_signals import noted_signals
from feedback_platform.serving.supervisor import CANNOT_START, Patience, Supervisor

DEAF_SECONDS = 1.0
SILENCE_SECONDS = 2.0
TESTED = ("supervisor.py", "stop_signals.py")
# Lines that are run before it waits for its workers for the first time.
LINES = 90


@dataclass(frozen=True)
class Worker:
    behaviour: str
    directory: Path

    def __call__(self, place: int, heartbeats: Connection) -> None:
        is_deaf = self.behaviour == "deaf"
        signal.signal(signal.SIGTERM, signal.SIG_IGN if is_deaf else self._end)
        started = self.directory / f"{place}-{os.getpid()}"
        before = len(list(self.directory.glob(f"{place}-*")))
        is_first = before == 0
        started.touch()
        if self.behaviour == "hopeless" or (self.behaviour == "hapless" and before == 1):
            sys.exit(CANNOT_START)
        heartbeats.send_bytes(b".")
        if self.behaviour == "mortal" and is_first:
            sys.exit(9)
        while True:
            time.sleep(0.05)
            heartbeats.send_bytes(b".")

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        sys.exit(0)


def stop_at(line: int) -> Any:
    """Trace the lines that are run; at one of them comes a signal."""
    left = line

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal left
        if not frame.f_code.co_filename.endswith(TESTED):
            return None
        if event == "line":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGTERM)
        return trace

    return trace


def main(behaviour: str, directory: str, line: int | None) -> int:
    patience = Patience(
        end=DEAF_SECONDS if behaviour == "deaf" else 20, silence=SILENCE_SECONDS, rest=0
    )
    with noted_signals(seconds=0.2 if behaviour == "hanging" else 25) as signals:
        sys.stdout.write("listening\n")
        sys.stdout.flush()
        while behaviour == "hanging":
            time.sleep(0.05)
        supervisor = Supervisor(Worker(behaviour, Path(directory)), 2, signals, patience)
        if line is not None:
            sys.settrace(stop_at(line))
        return supervisor.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else None))
