"""A command that ends with its parent: `python -m feedback_platform.cli.guard SECONDS COMMAND …`.

The parent holds the other end of standard input. It closes when the parent wants the command to
end, and as well when the parent is no more, however it died: the kernel sees to that on every
POSIX system. Then the command is asked to end. After so many seconds, or as soon as it has ended,
whatever is left of the process group is killed. (Linux can send a signal when a parent dies; but
that reaches one process only, not those that it started, and other systems have nothing like it.)
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from types import FrameType
from typing import Final

_POLL_SECONDS: Final = 0.2


def main(seconds: float, command: list[str]) -> int:
    """Run a command in this process's group, which has to be its own; return the exit code."""
    # What ends a service may send its signal to every process of it. When the command ends is for
    # the parent to say. A handler that does nothing, since what is ignored stays so in children.
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, _let_pass)
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - our parent's
    while not select.select([sys.stdin], [], [], _POLL_SECONDS)[0]:
        code = process.poll()
        if code is not None:
            return exit_code(code)
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    os.killpg(os.getpid(), signal.SIGKILL)
    return 0


def exit_code(code: int) -> int:
    """Return what a shell makes of what Python says; of signal 9, 137 instead of -9."""
    return code if code >= 0 else 128 - code


def _let_pass(_signal: int, _frame: FrameType | None) -> None:
    return


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
