"""dagster: each of Dagster's servers on its own, and the care of what they remember."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NoReturn

import click

from feedback_platform.cli.options import show, with_json, with_settings
from feedback_platform.cli.progress import progress_bar
from feedback_platform.errors import InvalidInputError
from feedback_platform.orchestration.instance import prepare_home
from feedback_platform.settings import PROJECT_DIR, Settings, dagster_environment

_LOCATION: Final = "feedback_platform"
_DEFINITIONS: Final = ("--module-name", "feedback_platform.definitions", "--attribute", "defs")
_LOG_LEVEL: Final = ("--log-level", "warning")

_with_workspace = click.option(
    "--workspace",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    default=PROJECT_DIR / "workspace.yaml",
    help="Where the code is, a file of Dagster's. [default: in the same process]",
)


@click.group("dagster")
def dagster_group() -> None:
    """Start one of Dagster's servers alone, or tend what they remember.

    `feedback-platform dev` starts all of them.
    """


@dagster_group.command(epilog="Example: feedback-platform dagster code --host 0.0.0.0")
@with_settings
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=4000, show_default=True)
def code(settings: Settings, host: str, port: int) -> None:
    """Serve the definitions by gRPC; sensors are evaluated here, and runs are its children.

    It has no login: let nobody but the other two reach it.
    """
    address = ("--host", host, "--port", str(port))
    _become(settings, ["dagster", "api", "grpc", *_DEFINITIONS, *address, *_named()])


@dagster_group.command(epilog="Example: feedback-platform dagster daemon --workspace prod.yaml")
@with_settings
@_with_workspace
def daemon(settings: Settings, workspace: Path) -> None:
    """Run sensors, schedules, the queue of runs and what watches them; there may be only one."""
    _become(settings, ["dagster._daemon", "run", "--workspace", _absolute(workspace), *_LOG_LEVEL])


@dagster_group.command(epilog="Example: feedback-platform dagster migrate")
@with_settings
def migrate(settings: Settings) -> None:
    """Bring the tables of runs, events and ticks to what a newer Dagster expects of them."""
    _become(settings, ["dagster", "instance", "migrate"])


@dagster_group.command(epilog="Example: feedback-platform dagster purge --older-than 90")
@with_settings
@click.option("--older-than", "days", type=click.IntRange(min=1), required=True, help="In days.")
@with_json
def purge(settings: Settings, days: int, as_json: bool) -> None:
    """Delete finished runs that ended so long ago; no table, model or event is touched.

    What sensors and the UI still need to know stays: trainings, reprocessed days, and the newest
    run of each job. Servers may go on meanwhile.
    """
    from feedback_platform.orchestration.history import (  # noqa: PLC0415 - servers need not wait
        purge_runs,
    )

    ended_before = datetime.now(UTC) - timedelta(days=days)
    with progress_bar("Deleting runs") as (_, detail):
        deleted = purge_runs(settings, ended_before, lambda done: detail(f"{done:,}"))
    show({"deleted_runs": deleted, "ended_before": ended_before.isoformat()}, as_json=as_json)


@dagster_group.command(epilog="Example: feedback-platform dagster web --port 3000 --read-only")
@with_settings
@_with_workspace
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=3000, show_default=True)
@click.option("--read-only", is_flag=True, help="Show everything and let nothing be started.")
def web(settings: Settings, workspace: Path, host: str, port: int, read_only: bool) -> None:
    """Show the graph and the runs. It has no login: put a proxy with one in front of it."""
    words = ["dagster_webserver", "--workspace", _absolute(workspace), *_LOG_LEVEL]
    words += ["--host", host, "--port", str(port)]
    _become(settings, [*words, *(["--read-only"] if read_only else [])])


def _named() -> Sequence[str]:
    return ("--location-name", _LOCATION, *_LOG_LEVEL)


def _absolute(path: Path) -> str:
    return str(path.resolve())


def _become(settings: Settings, module: Sequence[str]) -> NoReturn:
    """Let Dagster's own program take the place of this process, so that it hears every signal."""
    prepare_home(settings)
    try:
        # Dagster would warn of the dagster.yaml in the project's directory.
        os.chdir(settings.data_dir)
    except OSError as error:
        raise InvalidInputError(f"{settings.data_dir} cannot be entered: {error}") from error
    # Dagster takes SIGTERM for SIGINT, which shells ignore for what they start in the background:
    # a program that inherits that would never end.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    command = [sys.executable, "-m", *module]
    os.execve(command[0], command, dagster_environment(settings))  # noqa: S606 - our own command
