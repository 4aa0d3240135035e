from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import pytest

from feedback_platform.orchestration.failures import reported_failures
from feedback_platform.orchestration.instance import prepare_home
from feedback_platform.orchestration.keys import WAREHOUSE_POOL
from feedback_platform.orchestration.progress import PROGRESS_LOGGER, progress_logger
from feedback_platform.orchestration.resources import PlatformResource
from feedback_platform.orchestration.runs import (
    PROCESS_TAG,
    RunFailedError,
    end_dead_runs,
    execute,
    note_process,
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


def test_a_run_of_another_host_is_left_to_it(instance: dg.DagsterInstance, gone: int) -> None:
    run = record_run(instance, tags={PROCESS_TAG: f"{gone}:1.00@elsewhere"})

    end_dead_runs(instance)

    assert status_of(instance, run) == dg.DagsterRunStatus.STARTED


def test_a_run_that_is_started_again_is_not_in_the_process_of_the_one_before(
    instance: dg.DagsterInstance, gone: int
) -> None:
    before = record_run(instance, status=dg.DagsterRunStatus.FAILURE)
    note_process(instance, before)
    recorded = instance.get_run_by_id(before.run_id)
    assert recorded is not None
    tags = {**recorded.tags, PROCESS_TAG: f"{gone}:1.00"}
    again = record_run(instance, status=dg.DagsterRunStatus.STARTING, tags=tags)

    end_dead_runs(instance)
    assert status_of(instance, again) == dg.DagsterRunStatus.STARTING

    note_process(instance, again)
    started = instance.get_run_by_id(again.run_id)
    assert started is not None
    assert started.tags[PROCESS_TAG] == process_identity(psutil.Process())


def test_a_run_says_in_which_process_it_is(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    platform = PlatformResource.from_settings(load_settings(tmp_path, {}))

    @dg.op
    def nothing(platform: PlatformResource) -> None:
        assert platform.data_dir

    @dg.job(resource_defs={"platform": platform})
    def quiet() -> None:
        nothing()

    run = quiet.execute_in_process(instance=instance)
    recorded = instance.get_run_by_id(run.run_id)

    assert recorded is not None
    assert recorded.tags[PROCESS_TAG] == process_identity(psutil.Process())


def test_a_run_that_was_killed_holds_its_place_in_a_pool_no_longer(tmp_path: Path) -> None:
    """Where Dagster itself notices the end of a process, it gives back nothing."""
    settings = load_settings(tmp_path / "data", {})
    prepare_home(settings)
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        storage = instance.event_log_storage
        storage.set_concurrency_slots(WAREHOUSE_POOL, 1)
        killed, waiting = record_run(instance), record_run(instance)
        for run in (killed, waiting):
            storage.claim_concurrency_slot(WAREHOUSE_POOL, run.run_id, "a_step")
        end_dead_runs(instance)
        assert storage.get_concurrency_info(WAREHOUSE_POOL).slot_count == 1
        assert holder(storage) == killed.run_id

        instance.report_run_failed(killed)
        assert holder(storage) == killed.run_id
        end_dead_runs(instance)

        storage.claim_concurrency_slot(WAREHOUSE_POOL, waiting.run_id, "a_step")
        assert holder(storage) == waiting.run_id


def holder(storage: Any) -> str:
    (slot,) = storage.get_concurrency_info(WAREHOUSE_POOL).claimed_slots
    return str(slot.run_id)


@pytest.mark.parametrize(
    ("told", "raised"),
    [
        (signal.SIGTERM, KeyboardInterrupt),
        (signal.SIGINT, KeyboardInterrupt),
        (None, RunFailedError),
    ],
)
def test_a_run_that_is_told_to_end_is_no_failure_of_its_steps(
    tmp_path: Path, told: signal.Signals | None, raised: type[BaseException]
) -> None:
    @dg.op
    def working() -> None:
        with reported_failures():
            if told is not None:
                signal.raise_signal(told)
            raise ValueError("a mistake")

    @dg.job
    def work() -> None:
        working()

    definitions = dg.Definitions(jobs=[work], loggers={PROGRESS_LOGGER: progress_logger})
    with pytest.raises(raised):
        execute(definitions, load_settings(tmp_path, {}), "work")
