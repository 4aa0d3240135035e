"""The launcher's end of the warm process: starting it, asking it, letting it go."""

import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from multiprocessing.connection import Pipe
from pathlib import Path
from typing import Any, Final

from feedback_platform.errors import TransientError
from feedback_platform.orchestration.launching import messages, warm_process

# Imports take seconds, on a busy machine a minute. Run monitoring gives a run 300 s to start, and
# Dagster's own way needs its share of them.
LOAD_SECONDS: Final = 120.0
_FORK_SECONDS: Final = 60.0


class ColdError(TransientError):
    """The warm process could not be started, or may not fork. No run was started."""


class SpentError(TransientError):
    """The warm process is gone, or has loaded other code than is on the disk. No run was started.

    Another one can be of use.
    """


class LostError(TransientError):
    """The warm process went away with an order; whether its run has started is not known."""


class WarmStarter:
    """A warm process, from its start on.

    Args:
        origin: Dagster's `JobPythonOrigin` of the code to load, serialised.
        watched: directories in which no source file may change after that.
        load_seconds: how long loading may take, a second attempt included.

    Raises:
        ColdError: it did not come to be ready.
    """

    def __init__(
        self, origin: str, watched: Iterable[Path], load_seconds: float = LOAD_SECONDS
    ) -> None:
        code = [origin, [str(each) for each in watched]]
        until = time.monotonic() + load_seconds
        kind, content = self._load(code, load_seconds)
        if kind == messages.THREADED:
            # Whoever parses the dbt project first keeps threads of dbt's parser. The next process
            # finds it parsed.
            kind, content = self._load(code, until - time.monotonic())
        if kind != messages.READY:
            raise ColdError(f"The warm process did not start: {content}")

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return self.process.poll() is None

    def start(self, arguments: str) -> int:
        """Have a run started; return the id of its process.

        Args:
            arguments: Dagster's `ExecuteRunArgs`, serialised.

        Raises:
            SpentError: it is gone, or the code has changed since it was loaded.
            ColdError: it may not fork.
            LostError: it died, or does not answer.
        """
        kind, content = self._ask(messages.RUN, arguments, _FORK_SECONDS)
        if kind == messages.STALE:
            raise SpentError("The code has changed since the warm process loaded it.")
        if kind != messages.STARTED:
            raise ColdError(f"The warm process may not fork: {content}")
        return int(content)

    def close(self) -> None:
        """Let it go: it ends after the runs that it has started."""
        self._connection.close()

    def await_end(self, seconds: float) -> bool:
        """Wait for its end; return False when that takes longer."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        return not self.is_alive

    def _load(self, code: list[Any], seconds: float) -> tuple[str, Any]:
        """Start the process and have it load the code; let it go where it is of no use."""
        self._connection, theirs = Pipe()
        # It ends when this end of the socket closes, which the kernel sees to however we die.
        self.process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", warm_process.__name__, str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        try:
            kind, content = self._ask(messages.LOAD, code, seconds)
        except (LostError, SpentError) as error:
            self._give_up()
            raise ColdError(f"The warm process did not start: {error}") from error
        if kind != messages.READY:
            self._give_up()
        return kind, content

    def _give_up(self) -> None:
        self.close()
        self.process.kill()
        self.process.wait()

    def _ask(self, kind: str, content: Any, seconds: float) -> tuple[str, Any]:
        deadline = time.monotonic() + seconds
        try:
            messages.send(self._connection, kind, content)
        except OSError as error:
            raise SpentError("It has ended.") from error
        try:
            if not self._connection.poll(max(0.0, deadline - time.monotonic())):
                # It must not do later what is given up now.
                self.process.kill()
                raise LostError(f"It did not answer in {seconds:.0f} s.")
            return messages.receive(self._connection)
        except (EOFError, OSError) as error:
            self.process.kill()
            raise LostError("It has ended.") from error
