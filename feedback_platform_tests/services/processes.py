"""Real servers: built or installed once into `.services`, started for a test run, ended by id."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.request import urlopen

from feedback_platform.settings import PROJECT_DIR

CACHE: Final = PROJECT_DIR / ".services"
# A cold build of a Go program takes two minutes on two cores.
BUILD_SECONDS: Final = 900.0
START_SECONDS: Final = 240.0
STOP_SECONDS: Final = 20.0
_LAST_CHARACTERS: Final = 3000


class ServiceError(Exception):
    """A service could not be built, started or kept alive; the run fails."""


def required_command(name: str, package: str) -> str:
    """Return where a command is.

    Raises:
        ServiceError: it is not installed; the text names Debian's package.
    """
    path = shutil.which(name)
    if path is None:
        raise ServiceError(f"`{name}` is needed for the service tests: apt-get install {package}")
    return path


def run(command: Sequence[str], *, cwd: Path, seconds: float = BUILD_SECONDS) -> str:
    """Run a command to its end; return its standard output.

    Raises:
        ServiceError: it failed or took too long; the text is what it printed.
    """
    try:
        done = subprocess.run(
            command, cwd=cwd, check=False, capture_output=True, text=True, timeout=seconds
        )
    except subprocess.TimeoutExpired as error:
        raise ServiceError(f"{' '.join(command)} took more than {seconds:.0f} s") from error
    if done.returncode != 0:
        said = f"{done.stdout}{done.stderr}"[-_LAST_CHARACTERS:]
        raise ServiceError(f"{' '.join(command)} failed with {done.returncode}:\n{said}")
    return done.stdout


def go_program(name: str, module: Path) -> Path:
    """Build the tools that a Go module names; return one of them.

    `go.sum` holds the hash of every module in the build, and Go's own cache makes the second
    build a matter of seconds.
    """
    directory = CACHE / "bin"
    directory.mkdir(parents=True, exist_ok=True)
    go = required_command("go", "golang")
    run([go, "build", "-mod=readonly", "-o", f"{directory}/", "tool"], cwd=module)
    return directory / name


def free_port() -> int:
    """Return a port of the loopback interface at which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running(
    command: Sequence[str],
    *,
    log: Path,
    is_ready: Callable[[], bool],
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a server, wait until it is ready, and end it.

    Args:
        command: what to start; it stays in the foreground.
        log: where what it prints goes.
        is_ready: asked until it is true.
        environment: all of its variables; this process's own when left out.
        cwd: its working directory.

    Raises:
        ServiceError: it ended, or was not ready in time; the text is the end of its log.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=environment, cwd=cwd
        )
    try:
        _await(process, command, log, is_ready)
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> int:
    """End a process politely, then firmly; return its exit code."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def answers(url: str) -> bool:
    """Return whether a GET of an address succeeds."""
    try:
        with urlopen(url, timeout=5) as response:  # noqa: S310 - an address of this machine
            return bool(response.status < 400)
    except (URLError, OSError):
        return False


def _await(
    process: subprocess.Popen[bytes], command: Sequence[str], log: Path, ready: Callable[[], bool]
) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        if process.poll() is not None:
            raise ServiceError(f"{command[0]} ended with {process.returncode}:\n{_end_of(log)}")
        if time.monotonic() > deadline:
            raise ServiceError(f"{command[0]} did not become ready:\n{_end_of(log)}")
        time.sleep(0.05)


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-_LAST_CHARACTERS:]
