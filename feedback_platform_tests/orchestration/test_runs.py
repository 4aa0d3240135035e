from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import pytest

from feedback_platform.orchestration.runs import (
    PROCESS_TAG,
    end_dead_runs,
    prepare_home,
    process_identity,
)
from feedback_platform.settings import load_settings
from feedback_platform_tests.orchestration.recorded import record_run


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def gone() -> int:
    """The id of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def status_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRunStatus:
    recorded = instance.get_run_by_id(run.run_id)
    assert recorded is not None
    return recorded.status


@pytest.mark.parametrize(
    "status",
    [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING],
)
def test_a_run_whose_process_is_gone_has_failed(
    instance: dg.DagsterInstance, gone: int, status: dg.DagsterRunStatus
) -> None:
    run = record_run(instance, status=status, tags={PROCESS_TAG: str(gone)})

    end_dead_runs(instance)

    assert status_of(instance, run) == dg.DagsterRunStatus.FAILURE


@pytest.mark.parametrize("process", [os.getpid, os.getppid], ids=["this one", "its parent"])
def test_a_run_whose_process_lives_is_left_alone(
    instance: dg.DagsterInstance, process: Callable[[], int]
) -> None:
    run = record_run(instance, tags={PROCESS_TAG: process_identity(psutil.Process(process()))})

    end_dead_runs(instance, is_server_starting=True)

    assert status_of(instance, run) == dg.DagsterRunStatus.STARTED


def test_a_later_process_of_the_same_number_does_not_stand_in_for_the_dead(
    instance: dg.DagsterInstance,
) -> None:
    run = record_run(instance, tags={PROCESS_TAG: f"{os.getpid()}:1.00"})

    end_dead_runs(instance)

    assert status_of(instance, run) == dg.DagsterRunStatus.FAILURE


def test_a_run_of_a_server_is_gone_only_when_a_new_server_starts(
    instance: dg.DagsterInstance,
) -> None:
    run = record_run(instance)

    end_dead_runs(instance)
    assert status_of(instance, run) == dg.DagsterRunStatus.STARTED

    end_dead_runs(instance, is_server_starting=True)
    assert status_of(instance, run) == dg.DagsterRunStatus.FAILURE


def test_a_run_that_waits_for_its_turn_is_no_dead_run(
    instance: dg.DagsterInstance, gone: int
) -> None:
    run = record_run(
        instance, status=dg.DagsterRunStatus.NOT_STARTED, tags={PROCESS_TAG: str(gone)}
    )

    end_dead_runs(instance, is_server_starting=True)

    assert status_of(instance, run) == dg.DagsterRunStatus.NOT_STARTED


@pytest.mark.parametrize(
    ("url", "bucket", "prefix"),
    [
        ("s3://logs/dagster/steps", "logs", "dagster/steps"),
        ("s3://logs/it's: {a} *prefix", "logs", "it's: {a} *prefix"),
        ("s3://logs", "logs", "dagster"),  # Dagster's own default
    ],
)
def test_what_steps_print_goes_to_the_bucket_of_the_settings(
    tmp_path: Path, url: str, bucket: str, prefix: str
) -> None:
    _, configuration = compute_logs(tmp_path, {"FEEDBACK_COMPUTE_LOGS_URL": url})

    assert configuration["bucket"] == bucket
    assert configuration.get("prefix", "dagster") == prefix
    assert Path(configuration["local_dir"]).is_relative_to(tmp_path)


def test_what_steps_print_stays_on_the_machine_without_a_bucket(tmp_path: Path) -> None:
    name, _ = compute_logs(tmp_path, {})

    assert name == "LocalComputeLogManager"


@pytest.mark.parametrize(
    ("environment", "launcher"),
    [({}, "WarmRunLauncher"), ({"FEEDBACK_RUN_LAUNCHER": "dagster"}, "DefaultRunLauncher")],
)
def test_runs_are_forked_unless_the_settings_want_dagsters_way(
    tmp_path: Path, environment: dict[str, str], launcher: str
) -> None:
    settings = load_settings(tmp_path, environment)
    prepare_home(settings)

    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        assert type(instance.run_launcher).__name__ == launcher


def compute_logs(data_dir: Path, environment: dict[str, str]) -> tuple[str, dict[str, Any]]:
    """The class and the configuration by which Dagster keeps what steps print."""
    settings = load_settings(data_dir, environment)
    prepare_home(settings)
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        manager = instance.get_ref().compute_logs_data
    return manager.class_name, dict(manager.config_dict)
