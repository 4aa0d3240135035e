"""dev: the platform on one machine, with its user interface."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click

from feedback_platform.cli.demonstration import demo_parameters, write_demo_data
from feedback_platform.cli.options import with_settings
from feedback_platform.definitions import build_definitions
from feedback_platform.errors import InvalidInputError
from feedback_platform.lake.raw import list_raw_objects
from feedback_platform.lake.store import Lake
from feedback_platform.orchestration.runs import end_runs_of_dead_servers, prepare_home
from feedback_platform.settings import PROJECT_DIR, Settings, dagster_environment

_STOP_SECONDS = 30
_POLL_SECONDS = 0.2


@click.command(epilog="Example: feedback-platform dev --port 3000")
@with_settings
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=3000, show_default=True)
@click.option("--no-demo-data", is_flag=True, help="Leave an empty lake empty.")
def dev(settings: Settings, host: str, port: int, no_demo_data: bool) -> None:
    """Start Dagster with its sensors and schedules; an empty lake gets the demo data."""
    _check_port(host, port)
    if not no_demo_data and not list_raw_objects(Lake(settings.lake_url)):
        click.echo("The lake is empty; loading the demo data.")
        write_demo_data(settings, demo_parameters(settings, users=None, days=None, seed=None))
    prepare_home(settings)
    with _only_server(settings):
        click.echo("Loading the asset graph …")
        build_definitions(settings)
        end_runs_of_dead_servers(settings)
        click.echo(
            f"Dagster   http://{host}:{port}\n"
            f"Tables    {settings.published_path}\n"
            "Sensors and schedules are on. Ctrl-C stops everything."
        )
        sys.exit(_serve(settings, host, port))


@contextmanager
def _only_server(settings: Settings) -> Iterator[None]:
    """Refuse a second server on the same data; the lock is dropped when its holder dies."""
    with (settings.dagster_home / "server.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InvalidInputError(
                f"A server is running on {settings.data_dir} already; "
                "stop it, or use another --data-dir."
            ) from None
        yield


def _serve(settings: Settings, host: str, port: int) -> int:
    workspace = str(PROJECT_DIR / "workspace.yaml")
    command = [sys.executable, "-m", "dagster", "dev", "--workspace", workspace]
    command += ["--host", host, "--port", str(port), "--log-level", "warning"]
    # Not in the project's directory: Dagster would warn about the dagster.yaml that lies there. In
    # a session of its own: of a Ctrl-C it hears once, from us, and ends its children in order.
    server = subprocess.Popen(  # noqa: S603 - our own command
        command,
        cwd=settings.data_dir,
        env=dagster_environment(settings),
        start_new_session=True,
    )
    for stopping in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(stopping, _interrupt)
    try:
        # Not wait(): a signal may reach one of the libraries' threads, and then interrupts nothing.
        while server.poll() is None:
            time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        click.echo("Stopping …")
        _stop(server)
        return 0
    return server.returncode


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _stop(server: subprocess.Popen[bytes]) -> None:
    """Ask the server and its children to end; insist when they take too long."""
    server.send_signal(signal.SIGINT)
    try:
        server.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _check_port(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise InvalidInputError(
                f"Port {port} of {host} cannot be used ({error.strerror}); choose another: --port."
            ) from error
