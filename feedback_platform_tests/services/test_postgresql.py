"""Dagster's runs, events and ticks in PostgreSQL, which machines share, and which may die."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import dagster as dg
import pytest

from feedback_platform.orchestration.instance import prepare_home
from feedback_platform.orchestration.jobs import PROCESS
from feedback_platform.orchestration.runs import UNFINISHED, execute
from feedback_platform.settings import PROJECT_DIR, Settings, load_settings
from feedback_platform.warehouse.published import published_through
from feedback_platform_tests.installation import Installation, differences
from feedback_platform_tests.services.postgresql_server import (
    PASSWORD,
    PostgresqlServer,
    postgresql_server,
)
from feedback_platform_tests.services.processes import free_port, stop
from feedback_platform_tests.waiting import until

COMMAND: Final = (sys.executable, "-m", "feedback_platform", "dagster")
# On a busy machine each server takes half a minute to import what it needs.
PATIENCE: Final = 900.0
# They tell of failed runs, and of the instant at which something was measured.
OF_THE_RUNS: Final = {"metrics.alerts"}


@pytest.fixture
def database() -> Iterator[PostgresqlServer]:
    """A server of its own for each test, which may kill it."""
    with postgresql_server() as server:
        yield server


@pytest.fixture
def settings(
    database: PostgresqlServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """Those of an installation with a few raw events."""
    monkeypatch.setenv("FEEDBACK_DAGSTER_DATABASE_URL", database.url)
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    Installation(tmp_path / "data").simulate(users=20, days=2)
    return load_settings(tmp_path / "data")


def test_another_machine_sees_the_runs_of_this_one(settings: Settings, tmp_path: Path) -> None:
    run = execute(Installation(settings.data_dir).definitions, settings, PROCESS)

    elsewhere = load_settings(tmp_path / "elsewhere")
    with instance_of(elsewhere) as instance:
        (seen,) = instance.get_runs()
        materialised = instance.get_latest_materialization_event(
            dg.AssetKey(["published", "feedback"])
        )
    assert (seen.run_id, seen.status) == (run.run_id, dg.DagsterRunStatus.SUCCESS)
    assert materialised is not None
    assert materialised.run_id == run.run_id
    assert list(settings.dagster_home.rglob("*.db")) == []


def test_the_password_stands_in_no_file_and_not_in_the_user_interface(settings: Settings) -> None:
    with instance_of(settings) as instance:
        shown = instance.info_str()

    (file,) = settings.dagster_home.glob("dagster.yaml")
    for text in (shown, file.read_text()):
        assert "postgres" in text.casefold()
        assert PASSWORD not in text


def test_the_loop_goes_on_when_the_database_was_killed_in_the_middle_of_a_run(
    settings: Settings, database: PostgresqlServer, tmp_path: Path
) -> None:
    undisturbed = Installation(settings.data_dir).copy_to(tmp_path / "undisturbed")

    # One instance for all questions: each that is made looks through all of the tables.
    with instance_of(settings) as instance, dagster_servers(settings, tmp_path) as keep_running:
        slowly(lambda: running_steps(instance) > 0)
        database.kill()
        database.start()

        def is_through() -> bool:
            keep_running()
            if published_through(settings.published_path) == 0:
                return False
            return not instance.get_runs(dg.RunsFilter(statuses=UNFINISHED), limit=1)

        slowly(is_through)

    undisturbed.process()
    after = Installation(settings.data_dir)
    assert set(differences(after.tables(), undisturbed.tables())) <= OF_THE_RUNS


@contextmanager
def instance_of(settings: Settings) -> Iterator[dg.DagsterInstance]:
    prepare_home(settings)
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        yield instance


def running_steps(instance: dg.DagsterInstance) -> int:
    """How many steps of the runs under way have begun."""
    runs = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
    began = dg.DagsterEventType.STEP_START
    return sum(len(instance.all_logs(run.run_id, of_type=began)) for run in runs)


@contextmanager
def dagster_servers(settings: Settings, directory: Path) -> Iterator[Callable[[], None]]:
    """The code server and the daemon, as containers have them.

    What is yielded starts those again that have ended, as whoever runs containers does.
    """
    port = str(free_port())
    data_dir = ("--data-dir", str(settings.data_dir))
    commands = {
        "code": [*COMMAND, "code", "--port", port, *data_dir],
        "daemon": [
            *(*COMMAND, "daemon", *data_dir),
            *("--workspace", str(PROJECT_DIR / "deploy" / "workspace.yaml")),
        ],
    }
    environment = {**os.environ, "DAGSTER_CODE_HOST": "127.0.0.1", "DAGSTER_CODE_PORT": port}
    processes: dict[str, subprocess.Popen[bytes]] = {}

    def keep_running() -> None:
        for name, command in commands.items():
            if processes[name].poll() is not None:
                processes[name] = started(command, environment, directory / f"{name}.log")

    def stop_last(name: str) -> None:
        stop(processes[name])

    with ExitStack() as stack:
        for name, command in commands.items():
            processes[name] = started(command, environment, directory / f"{name}.log")
            stack.callback(stop_last, name)
            # The daemon waits for the code, as in compose.yaml.
            slowly(lambda: takes_connections(int(port)))
        yield keep_running


def started(
    command: list[str], environment: Mapping[str, str], log: Path
) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)


def takes_connections(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def slowly(is_so: Callable[[], bool]) -> None:
    """Wait for what takes its time, and leave the processor to those who do it."""
    asked_at = 0.0

    def is_so_now() -> bool:
        nonlocal asked_at
        if time.monotonic() < asked_at + 1:
            return False
        asked_at = time.monotonic()
        return is_so()

    until(is_so_now, seconds=PATIENCE)
