"""A PostgreSQL server of Debian's: a directory and a port of its own, ended by its process id."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from feedback_platform_tests.services.processes import (
    ServiceError,
    free_port,
    required_command,
    run,
    stop,
)
from feedback_platform_tests.waiting import until

USER: Final = "dagster"
PASSWORD: Final = "testing-secret"  # noqa: S105 - of a server that lives as long as a test run
DATABASE: Final = "postgres"
_DEBIAN: Final = Path("/usr/lib/postgresql")


@dataclass
class PostgresqlServer:
    """A server that can be killed and started again on the same data."""

    directory: Path
    port: int
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        """Where it is; the password is not part of it."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{DATABASE}"

    def start(self) -> None:
        """Start it; return as soon as it takes connections.

        Raises:
            ServiceError: it ended at once.
        """
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            # A killed process loses nothing that the operating system has; no test pulls the plug.
            "fsync": "off",
        }
        words = [f"--{name}={value}" for name, value in settings.items()]
        log = self.directory / "server.log"
        with log.open("ab") as output:
            self._process = process = subprocess.Popen(
                _as_nobody_special([_program("postgres"), "-D", self._data, *words]),
                cwd=self.directory,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

        def is_ready() -> bool:
            if process.poll() is not None:
                raise ServiceError(f"PostgreSQL ended:\n{log.read_text()[-2000:]}")
            return self._answers()

        until(is_ready, seconds=60)

    def kill(self) -> None:
        """Kill it at once, and wait until all of its processes are gone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        # Its children notice by themselves, and hold the data until then.
        until(lambda: not self._answers())

    def stop(self) -> None:
        if self._process is not None:
            stop(self._process)

    def initialise(self) -> None:
        secret = self.directory / "password"
        secret.write_text(PASSWORD)
        words = ["-D", self._data, "-U", USER, f"--pwfile={secret}", "--auth=scram-sha-256"]
        words += ["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        if os.geteuid() == 0:
            shutil.chown(self.directory, _OTHER_USER)
            shutil.chown(secret, _OTHER_USER)
        run(_as_nobody_special([_program("initdb"), *words]), cwd=self.directory)

    @property
    def _data(self) -> str:
        return str(self.directory / "data")

    def _answers(self) -> bool:
        program = _program("pg_isready")
        words = [program, "--quiet", "--host=127.0.0.1", f"--port={self.port}"]
        return subprocess.run(words, check=False).returncode == 0


@contextmanager
def postgresql_server() -> Iterator[PostgresqlServer]:
    """Run a server with an empty database.

    Raises:
        ServiceError: PostgreSQL is not installed, or does not start.
    """
    # Not among the files of the tests: those of root are closed to other users, and PostgreSQL
    # does not run as root.
    with tempfile.TemporaryDirectory(prefix="postgresql-") as directory:
        server = PostgresqlServer(Path(directory), free_port())
        server.initialise()
        try:
            server.start()
            yield server
        finally:
            server.stop()


_OTHER_USER: Final = "postgres"


def _as_nobody_special(command: list[str]) -> list[str]:
    """Return the command under the user of Debian's package, where this one is root."""
    if os.geteuid() != 0:
        return command
    setpriv = required_command("setpriv", "util-linux")
    user = (f"--reuid={_OTHER_USER}", f"--regid={_OTHER_USER}", "--clear-groups")
    return [setpriv, *user, *command]


def _program(name: str) -> str:
    """Return a program of the newest version; Debian keeps most of them out of the path."""
    versions = sorted(_DEBIAN.glob("*/bin"), key=lambda path: float(path.parent.name))
    found = shutil.which(name, path=str(versions[-1])) if versions else shutil.which(name)
    if found is None:
        raise ServiceError(f"`{name}` is needed for the service tests: apt-get install postgresql")
    return found
