from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psutil
import pytest
from dagster._core.launcher.base import WorkerStatus

from feedback_platform.orchestration.jobs import PRIORITY_TAG
from feedback_platform.orchestration.runs import PROCESS_TAG, is_alive, process_of
from feedback_platform_tests.orchestration.launching.launched import PATIENCE, Launched, processes
from feedback_platform_tests.waiting import until


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launched]:
    launched = Launched(tmp_path_factory.mktemp("launched"))
    yield launched
    launched.close()


def test_runs_are_children_of_one_process_that_has_loaded_the_code(launched: Launched) -> None:
    (one, told), (other, of_other) = launched.start("telling"), launched.start("telling")

    assert launched.ended(one) == launched.ended(other) == dg.DagsterRunStatus.SUCCESS
    (own, parent), (second, second_parent) = processes(told), processes(of_other)
    assert own != second
    assert parent == second_parent != os.getpid()


def test_what_a_run_records_is_what_dagster_records(launched: Launched) -> None:
    run, told = launched.start("telling")

    launched.ended(run)
    own, _ = processes(told)
    until(lambda: f"Process for run exited (pid: {own})" in launched.messages(run))
    assert f"Started process for run (pid: {own})" in launched.messages(run)
    assert 'Finished execution of step "tells"' in launched.messages(run)


def test_a_step_that_fails_fails_its_run(launched: Launched) -> None:
    run, _ = launched.start("breaking")

    assert launched.ended(run) == dg.DagsterRunStatus.FAILURE
    (failure,) = launched.instance.all_logs(run, of_type=dg.DagsterEventType.STEP_FAILURE)
    assert "it breaks" in str(failure.get_dagster_event().step_failure_data.error)


@pytest.mark.parametrize(
    ("priority", "niceness"),
    [("40", 0), ("20", 10), (None, 19), ("-100", 19), ("100", 0), ("high", 0)],
)
def test_what_is_less_urgent_leaves_the_processor_to_what_is_live(
    launched: Launched, priority: str | None, niceness: int
) -> None:
    run, file = launched.start("waiting", tags={PRIORITY_TAG: priority} if priority else {})
    own, _ = processes(file)

    found = psutil.Process(own).nice() - psutil.Process().nice()

    file.unlink()
    assert found == niceness
    assert launched.ended(run) == dg.DagsterRunStatus.SUCCESS


def test_a_run_that_is_cancelled_is_interrupted(launched: Launched) -> None:
    run, file = launched.start("waiting")
    own, _ = processes(file)

    assert launched.launcher.terminate(run)

    assert launched.ended(run) == dg.DagsterRunStatus.CANCELED
    until(lambda: not psutil.pid_exists(own), seconds=PATIENCE)


def test_what_is_over_cannot_be_cancelled(launched: Launched) -> None:
    run, _ = launched.start("breaking")
    launched.ended(run)

    assert not launched.launcher.terminate(run)
    assert launched.status(run) == dg.DagsterRunStatus.FAILURE


def test_a_run_on_another_host_is_not_said_to_be_cancelled(launched: Launched) -> None:
    run, file = launched.start("waiting")
    processes(file)
    here = process_tag_of(launched, run)
    launched.instance.add_run_tags(run, {PROCESS_TAG: f"{here.partition('@')[0]}@elsewhere"})

    assert not launched.launcher.terminate(run)

    assert launched.status(run) == dg.DagsterRunStatus.STARTED
    file.unlink()
    assert launched.ended(run) == dg.DagsterRunStatus.SUCCESS


def test_a_run_whose_process_is_killed_has_failed_at_once(launched: Launched) -> None:
    run, file = launched.start("waiting")
    own, _ = processes(file)
    assert health_of(launched, run) == WorkerStatus.RUNNING

    os.kill(own, signal.SIGKILL)

    assert launched.ended(run) == dg.DagsterRunStatus.FAILURE
    assert "SIGKILL" in launched.messages(run)
    assert health_of(launched, run) == WorkerStatus.NOT_FOUND


def test_a_run_that_tries_again_is_not_taken_for_the_process_of_the_first(
    launched: Launched,
) -> None:
    first, _ = launched.start("breaking")
    launched.ended(first)
    run = launched.instance.get_run_by_id(first)
    assert run is not None

    again = run._replace(run_id="another")

    assert process_of(run) is not None
    assert process_of(again) is None


def test_without_a_warm_process_runs_start_in_dagsters_way_after_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    launched = Launched(tmp_path)
    monkeypatch.setattr(sys, "executable", "/bin/false")

    with caplog.at_level(logging.WARNING, "dagster"):
        runs = [launched.start("breaking")[0] for _ in range(2)]

    assert launched.fallback.asked == runs
    (warning,) = caplog.messages
    assert "did not start" in warning
    launched.close()


def test_changed_code_is_loaded_anew(launched: Launched) -> None:
    run, told = launched.start("telling")
    launched.ended(run)

    (launched.code / "changed.sql").write_text("select 1", encoding="utf-8")
    later, told_later = launched.start("telling")

    assert launched.ended(later) == dg.DagsterRunStatus.SUCCESS
    assert processes(told)[1] != processes(told_later)[1]


@pytest.mark.slow  # imports everything once more
def test_a_run_outlives_the_process_that_started_it_and_the_next_one_gets_another(
    launched: Launched,
) -> None:
    run, file = launched.start("waiting")
    own, parent = processes(file)

    os.kill(parent, signal.SIGKILL)
    until(lambda: not psutil.pid_exists(parent) or is_zombie(parent), seconds=PATIENCE)
    other, told = launched.start("telling")

    assert launched.ended(other) == dg.DagsterRunStatus.SUCCESS
    assert processes(told)[1] != parent
    assert is_alive(process_tag_of(launched, run))
    assert launched.launcher.terminate(run)
    assert launched.ended(run) == dg.DagsterRunStatus.CANCELED
    until(lambda: not psutil.pid_exists(own) or is_zombie(own), seconds=PATIENCE)


@pytest.mark.slow  # imports everything once more
def test_a_code_server_that_was_reloaded_has_other_code(launched: Launched) -> None:
    run, told = launched.start("telling")
    launched.ended(run)

    later, told_later = launched.start("telling", code_server="reloaded")

    assert launched.ended(later) == dg.DagsterRunStatus.SUCCESS
    assert processes(told)[1] != processes(told_later)[1]


@pytest.mark.slow  # imports everything once more
def test_it_ends_when_its_launcher_does_and_what_runs_comes_to_its_end(tmp_path: Path) -> None:
    launched = Launched(tmp_path)
    run, file = launched.start("waiting")
    _, parent = processes(file)

    launched.launcher._let_go()
    file.unlink()

    assert launched.ended(run) == dg.DagsterRunStatus.SUCCESS
    launched.close()
    assert not psutil.pid_exists(parent)


@pytest.mark.slow  # imports everything once more
def test_the_warning_says_why_the_code_does_not_load(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    launched = Launched(tmp_path, module="feedback_platform_tests.no_such_module")

    with caplog.at_level(logging.WARNING, "dagster"):
        run, _ = launched.start("breaking")

    assert launched.fallback.asked == [run]
    (warning,) = caplog.messages
    assert "no_such_module" in warning
    launched.close()


def health_of(launched: Launched, run_id: str) -> WorkerStatus:
    run = launched.instance.get_run_by_id(run_id)
    assert run is not None
    return launched.launcher.check_run_worker_health(run).status


def process_tag_of(launched: Launched, run_id: str) -> str:
    run = launched.instance.get_run_by_id(run_id)
    assert run is not None
    assert PROCESS_TAG in run.tags
    return process_of(run) or ""


def is_zombie(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
